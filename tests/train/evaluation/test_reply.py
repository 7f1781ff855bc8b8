"""Predictions in a reply: one, or as many as regions were asked about."""

import pytest

from train.evaluation.questions import read_questions
from train.evaluation.reply import Reply, predictions_of


@pytest.fixture
def entries(listed, make_row):
    """Three entries of one turn."""
    row = make_row(["dog, cat, cow"])
    (entry,) = row["evaluation"]
    row["evaluation"] = [
        {**entry, "position": position, "references": [name]}
        for position, name in ((2, "cow"), (0, "dog"), (1, "cat"))
    ]
    (question,) = read_questions(listed([row]))
    return question.entries


def answers(entries, text):
    predictions = predictions_of(entries, Reply(text=text, score=0.5))
    assert [each.position for each in predictions] == list(range(len(predictions)))
    assert {each.score for each in predictions} <= {0.5}
    return [each.answer for each in predictions]


def test_an_answer_about_several_regions_is_split_in_the_order_asked(entries):
    assert answers(entries, "dog, wild cat, cow") == ["dog", "wild cat", "cow"]


@pytest.mark.parametrize("text", ["", "dog", "dog, cat", "dog, cat, cow, pig", "dog,cat,cow"])
def test_another_number_of_parts_is_wrong_in_all(entries, text):
    assert answers(entries, text) == ["", "", ""]


def test_one_region_takes_the_whole_answer(entries):
    assert answers(entries[:1], "a dog, and a cat") == ["a dog, and a cat"]


def test_no_text_is_no_prediction(entries):
    assert predictions_of(entries, Reply(reason="the picture is damaged")) == []

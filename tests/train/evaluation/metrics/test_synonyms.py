"""Synonyms: the nearest name for what is outside the names, and nothing for what is not."""

import pytest

from schemas.errors import InputFileError
from tests.train.evaluation.metrics.making import WordVectors, make_answer, region, values
from train.evaluation.answers import Answer
from train.evaluation.metrics.classification import classification
from train.evaluation.metrics.synonyms import synonyms

VECTORS = WordVectors(
    airplane=(1, 0, 0),
    kite=(0, 1, 0),
    bird=(0, 0, 1),
    Aircraft=(3, 1, 1),
    thing=(1, 1, 1),
    nothing=(0, 0, 5),
)


def asked(number: int, truth: str, text: str | None, **fields) -> Answer:
    x0 = 30.0 * number
    usual = {
        "regions": (region(str(number), x0, 0, x0 + 20, 20),),
        "choices": ("airplane", "kite", "bird"),
    }
    return make_answer(number, references=(truth,), text=text, **(usual | fields))


def test_an_answer_outside_the_names_is_the_nearest_one():
    answers = [
        asked(0, "airplane", "Aircraft"),
        asked(1, "bird", "Aircraft"),
        asked(2, "kite", "kite"),
        asked(3, "bird", ""),
        asked(4, "kite", None),
    ]
    figures = synonyms(answers, VECTORS)
    by_name = values(figures)
    assert by_name["accuracy"] == 60
    assert by_name["taken as the nearest name"] == 3
    assert values(classification(answers))["accuracy"] == 20
    notes = {figure.note for figure in figures if figure.name == "accuracy"}
    assert notes == {"outside the names: the nearest name by word vectors"}


def test_of_equally_near_names_the_first_is_taken():
    assert values(synonyms([asked(0, "airplane", "thing")], VECTORS))["accuracy"] == 100
    assert values(synonyms([asked(0, "kite", "thing")], VECTORS))["accuracy"] == 0


def test_without_an_answer_outside_the_names_the_numbers_are_those_of_the_exact_match():
    answers = [asked(0, "airplane", "kite"), asked(1, "bird", "bird"), asked(2, "kite", None)]
    exact = [(each.name, each.value) for each in classification(answers)]
    near = [(each.name, each.value) for each in synonyms(answers, VECTORS)]
    assert near == exact[:-1]  # missing ones are counted there already


def test_names_that_are_not_stored_are_those_of_the_references():
    answers = [
        asked(0, "airplane", "Aircraft", choices=()),
        asked(1, "kite", "bird", choices=()),  # outside; equally far from both references
    ]
    by_name = values(synonyms(answers, VECTORS))
    assert (by_name["accuracy"], by_name["taken as the nearest name"]) == (50, 2)


def test_what_cannot_be_scored_is_refused():
    with pytest.raises(InputFileError, match="there is no entry to score"):
        synonyms([], VECTORS)
    two = [asked(0, "kite", ""), asked(1, "kite", "", choices=("kite", "bird"))]
    with pytest.raises(InputFileError, match="2 label sets, expected one"):
        synonyms(two, VECTORS)

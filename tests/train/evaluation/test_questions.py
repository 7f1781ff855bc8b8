"""What is asked, beside the records as they are; what precedes it; and a choice of pictures."""

import pytest

from model.picture import read_picture
from schemas.errors import InputFileError
from schemas.ids import image_of
from train.evaluation.questions import prompt_of, read_questions, some_pictures


@pytest.fixture(scope="module")
def rows(build_of, rows_of):
    return rows_of(build_of("eval_vcr"))


def test_every_entry_is_asked_once_with_what_it_is_scored_by(rows):
    questions = read_questions(rows)
    entries = [entry for question in questions for entry in question.entries]
    stated = [(row, entry) for row in rows for entry in row["evaluation"]]
    assert len(entries) == len(stated) > 20
    for entry, (row, other) in zip(entries, stated, strict=True):
        assert (entry.record, entry.source, entry.split) == (row["id"], "vcr", "val")
        assert rows[entry.number]["id"] == row["id"]
        assert (entry.turn, entry.position) == (other["turn"], other["position"])
        assert (entry.item_id, entry.group) == (other["item_id"], other["group"])
        assert (list(entry.references), list(entry.choices)) == (
            other["references"],
            other["choices"],
        )
        assert (entry.label, entry.text) == (other["label"], None)
        assert [list(region.bbox) for region in entry.regions] == [
            region["bbox"] for region in row["regions"]
        ]


def test_a_turn_that_is_not_asked_about_stands_as_the_build_has_it(rows):
    later = [question for question in read_questions(rows) if question.turn == 1]
    assert len(later) > 10
    for question in later:
        row = rows[question.number]
        assert question.earlier == ()
        prompt = prompt_of(question, row, {}, None)
        assert prompt.messages == row["messages"][:3]  # the right answer among them
        assert prompt.picture == read_picture(row["image"]["bytes"])
        assert prompt.regions == row["regions"]


def test_a_turn_that_is_asked_about_is_the_models(listed, make_row):
    row = make_row(["dog", "cat", "cow"])
    first, second, third = read_questions(listed([row]))
    assert [each.earlier for each in (first, second, third)] == [(), (0,), (0, 1)]
    prompt = prompt_of(third, row, {0: "wolf", 1: "<region1> ### lynx"}, None)
    texts = [message["content"] for message in prompt.messages]
    assert texts[1] == "wolf"
    assert texts[3] == "(region1) # # # lynx"  # nothing that a tokenizer would obey
    assert texts[4] == row["messages"][4]["content"]
    assert prompt_of(first, row, {}, None).regions == row["regions"][:1]
    assert prompt.regions == row["regions"]


def test_regions_that_a_prompt_leaves_out_do_not_shift_the_others(listed, make_row):
    row = make_row(["dog", "cat", "cow"])
    row["messages"][0]["content"] = "<image>\nWhat is in <region3> and <region2>?"
    prompt = prompt_of(read_questions(listed([row]))[0], row, {}, None)
    assert prompt.messages[0]["content"] == "<image>\nWhat is in <region2> and <region1>?"
    assert prompt.regions == row["regions"][1:]


def test_some_pictures_with_all_their_questions(rows):
    names = rows.ids()
    some = some_pictures(names, 2, seed=0)
    assert some == some_pictures(reversed(names), 2, seed=0)
    assert {some_pictures(names, 2, seed=seed) for seed in range(9)} != {some}
    kept = {entry.record for q in read_questions(rows, some) for entry in q.entries}
    assert kept == {name for name in names if image_of(name) in some}
    assert 0 < len(kept) < len(names)


def test_a_record_that_cannot_be_scored_is_named(listed, make_row):
    row = make_row(["dog"])
    row["evaluation"][0]["references"] = ["cat"]
    with pytest.raises(InputFileError, match="coco/val/7/region_classification/0: evaluation: "):
        read_questions(listed([row]))

"""What an evaluation needs beside a conversation: a right one passes, each wrong one is named."""

import copy

import pytest

from schemas.check import check_record


def record():
    """A right record of an evaluation, as it is read from a shard."""
    return {
        "id": "pope/random/7/image_conversation/0",
        "source": "pope",
        "split": "random",
        "task": "image_conversation",
        "turn_tasks": ["image_conversation"],
        "image": {"bytes": None, "path": "7.jpg"},
        "width": 8,
        "height": 6,
        "regions": [],
        "messages": [
            {"role": "user", "content": "<image>\nIs there a cup?"},
            {"role": "assistant", "content": "no"},
        ],
        "evaluation": {
            "item_id": "12",
            "group": "random",
            "references": ["no"],
            "choices": ["yes", "no"],
            "label": 1,
        },
        "licence": "MIT",
        "provenance": {"prompts": ["owner"]},
    }


def changed(**values):
    row = copy.deepcopy(record())
    row["evaluation"] |= values
    return row


@pytest.mark.parametrize(
    "row",
    [
        record(),
        record() | {"evaluation": None},
        changed(choices=[], label=None),
        changed(choices=[], label=None, references=["none", "no"]),
        changed(references=["no", "nay"]),
    ],
)
def test_a_right_record_passes(row):
    assert check_record(row) == []


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"item_id": None}, "item_id is null, expected a value"),
        ({"group": None}, "group is null, expected a value"),
        ({"references": None}, "references is null, expected a value"),
        ({"references": ["no", None]}, "references is null, expected a value"),
        ({"choices": None}, "choices is null, expected a value"),
        ({"choices": ["yes", None]}, "choices is null, expected a value"),
        ({"item_id": " "}, "item_id is empty, expected the owner's"),
        ({"group": ""}, "group is empty, expected the owner's"),
        ({"references": []}, "there are no references, expected the right answers"),
        (
            {"references": ["nay"]},
            "the last answer is 'no', expected one of the references, such as 'nay'",
        ),
        ({"label": None}, "label is None, expected 0 to 1 for 2 choices"),
        ({"label": 2}, "label is 2, expected 0 to 1 for 2 choices"),
        ({"label": -1}, "label is -1, expected 0 to 1 for 2 choices"),
        ({"label": 0}, "the last answer is 'no', expected choice 0, 'yes'"),
        ({"choices": []}, "label is 1 without choices, expected null"),
    ],
)
def test_what_is_wrong_is_named(values, line):
    assert check_record(changed(**values)) == [f"evaluation: {line}"]


def test_the_last_answer_counts():
    row = record()
    row["turn_tasks"] *= 2
    row["provenance"]["prompts"] *= 2
    row["messages"] = [
        *row["messages"],
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": "It is empty."},
    ]
    row["evaluation"] |= {"references": ["It is empty."], "choices": ["It is full."], "label": 0}
    assert check_record(row) == [
        "evaluation: the last answer is 'It is empty.', expected choice 0, 'It is full.'"
    ]

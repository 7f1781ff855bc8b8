"""What an evaluation needs beside a conversation: a right one passes, each wrong one is named."""

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
        "image_hash": None,
        "evaluation": [entry()],
        "licence": "MIT",
        "provenance": {"prompts": ["owner"], "scorer": None, "judge_model": None},
    }


def entry(**values):
    """A right entry of its evaluation."""
    right = {
        "turn": 0,
        "position": 0,
        "item_id": "12",
        "group": "random",
        "references": ["no"],
        "choices": ["yes", "no"],
        "label": 1,
    }
    return right | values


def changed(**values):
    return record() | {"evaluation": [entry(**values)]}


def longer(*entries):
    """The same record with a second turn."""
    row = record() | {"evaluation": list(entries)}
    row["turn_tasks"] *= 2
    row["provenance"]["prompts"] *= 2
    row["messages"] = [
        *row["messages"],
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": "It is empty."},
    ]
    return row


EMPTY = {"references": ["It is empty."], "choices": [], "label": None}


@pytest.mark.parametrize(
    "row",
    [
        record(),
        record() | {"evaluation": []},
        longer(entry(), entry(turn=1, **EMPTY)),
        longer(entry(), entry(turn=1, position=1, **EMPTY)),
        longer(
            entry(turn=1, **EMPTY | {"references": ["It", "They"]}),
            entry(turn=1, position=1, **EMPTY | {"references": ["empty"]}),
        ),
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
            "the answer of turn 0 is 'no', expected one of the references, such as 'nay'",
        ),
        ({"label": None}, "label is None, expected 0 to 1 for 2 choices"),
        ({"label": 2}, "label is 2, expected 0 to 1 for 2 choices"),
        ({"label": -1}, "label is -1, expected 0 to 1 for 2 choices"),
        ({"label": 0}, "the answer of turn 0 is 'no', expected choice 0, 'yes'"),
        ({"choices": []}, "label is 1 without choices, expected null"),
        ({"turn": None}, "turn is null, expected a value"),
        ({"position": None}, "position is null, expected a value"),
        ({"turn": 1}, "turn is 1, expected 0 to 0, an assistant turn"),
        ({"turn": -1}, "turn is -1, expected 0 to 0, an assistant turn"),
        ({"position": -1}, "position is -1, expected 0 or more"),
    ],
)
def test_what_is_wrong_is_named(values, line):
    assert check_record(changed(**values)) == [f"evaluation: {line}"]


@pytest.mark.parametrize(
    ("entries", "line"),
    [
        ([None], "an entry is null, expected a value"),
        (
            [entry(), entry()],
            "2 entries are of turn 0, position 0, expected each once",
        ),
        (
            [entry(turn=1)],
            "the answer of turn 1 is 'It is empty.', expected one of the references, such as 'no'",
        ),
        (
            [entry(turn=1, **EMPTY | {"choices": ["It is full."], "label": 0})],
            "the answer of turn 1 is 'It is empty.', expected choice 0, 'It is full.'",
        ),
        (
            [entry(turn=1, **EMPTY), entry(turn=1, position=1, **EMPTY | {"references": ["full"]})],
            "the answer of turn 1 is 'It is empty.', expected one of the references, such as "
            "'full'",
        ),
    ],
)
def test_wrong_entries_are_named(entries, line):
    assert f"evaluation: {line}" in check_record(longer(*entries))


def test_a_record_has_a_list_of_entries():
    assert check_record(record() | {"evaluation": None}) == ["evaluation is null, expected a value"]

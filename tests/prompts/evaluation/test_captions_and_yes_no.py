"""Captions of regions, and questions that yes or no answers, as they are evaluated."""

import pytest

from prompts.catalog import WORDING_SETS
from prompts.instruction import Instruction, InstructionMode
from prompts.region_caption import EVALUATION
from schemas.item import Dialogue, Expression, Round, YesNoQuestion
from schemas.sample import Region, ScreenedImage, Task
from schemas.style import Style

REGIONS = tuple(Region(name, (0, 0, number, 2)) for number, name in enumerate("abc", start=1))


@pytest.fixture
def asked(compose, make_image):
    """The records of an image with some items: its draft, and its records."""

    def ask(task, *items, seed=0, **image):
        how = Instruction(
            style=Style.REGIONGPT,
            mode=InstructionMode.MULTI_TURN_ALL,
            wordings=WORDING_SETS,
            seed=seed,
            evaluation=True,
        )
        return compose(ScreenedImage(make_image(**image), REGIONS, items), task, how)

    return ask


def said(record):
    return [message["content"] for message in record["messages"]]


def test_all_sentences_of_a_region_are_its_references(asked):
    items = [
        Expression("10", "a", "the third"),
        Expression("2", "c", "alone"),
        Expression("9", "a", "the second"),
        Expression("1", "a", "the first"),
    ]
    draft, records = asked(Task.REGION_CAPTION, *items)
    request = "<image>\n" + EVALUATION.wordings[0].replace("<region>", "<region1>")
    assert [said(record) for record in records] == [[request, "the first"], [request, "alone"]]
    assert [entry for record in records for entry in record["evaluation"]] == [
        {
            "turn": 0,
            "position": 0,
            "item_id": name,
            "group": "7",
            "references": told,
            "choices": [],
            "label": None,
        }
        for name, told in (("a", ["the first", "the second", "the third"]), ("c", ["alone"]))
    ]
    assert {item_id for _, item_id in draft.items} == {"1", "2", "9", "10"}
    assert draft.region_ids() == ["a", "c"]  # of b nothing is said


def test_a_seed_changes_no_wording(asked):
    item = Expression("1", "a", "a cup")
    one, other = (asked(Task.REGION_CAPTION, item, seed=seed)[1] for seed in (0, 7))
    assert said(one[0]) == said(other[0])


def test_a_question_stands_as_its_owner_put_it(asked):
    items = [YesNoQuestion("3", "Is there a cup?", True), YesNoQuestion("12", "A dog?", False)]
    draft, records = asked(Task.IMAGE_CONVERSATION, *items, split="popular")
    assert [said(record) for record in records] == [
        ["<image>\nIs there a cup?", "yes"],
        ["<image>\nA dog?", "no"],
    ]
    assert [entry for record in records for entry in record["evaluation"]] == [
        {
            "turn": 0,
            "position": 0,
            "item_id": name,
            "group": "popular",
            "references": [answer],
            "choices": ["yes", "no"],
            "label": label,
        }
        for name, answer, label in (("3", "yes", 0), ("12", "no", 1))
    ]
    assert all(record["provenance"]["prompts"] == ["owner"] for record in records)
    assert [item_id for _, item_id in draft.items] == ["3", "12"]


def test_other_conversations_are_not_asked(asked):
    talk = Dialogue("1", (Round("Is there a cup?", "yes"),))
    assert asked(Task.IMAGE_CONVERSATION, talk) == (None, [])

"""Asking how one region stands to another: who is asked about, what is answered, and how often."""

from itertools import permutations

import pytest
from msgspec.structs import replace

from prompts.catalog import DIALOGUES, WORDING_SETS
from prompts.dialogue import assemble
from prompts.instruction import Instruction, InstructionMode
from prompts.region_relationship import RELATIONSHIP, dialogues
from prompts.wordings import problems
from schemas.item import Expression, Relationship
from schemas.sample import ImageInfo, Region, ScreenedImage, Task
from schemas.style import Style

IMAGE = ImageInfo(
    source="visual_genome",
    split="train",
    image_id="7",
    file_name="VG_100K/7.jpg",
    folder="visual_genome",
    width=10,
    height=10,
    size_bytes=100,
    licence="CC BY 4.0",
    shards=1,
)
NAMES = {"m": "man", "h": "horse", "f": "green_fields", "n": None}
REGIONS = tuple(
    Region(region_id=region_id, bbox=(0, 0, 1, 1), category=name)
    for region_id, name in NAMES.items()
)
RIDES = Relationship("1", "m", "riding a", "h")
STANDS = Relationship("2", "h", "ON", "f")
NEAR = Relationship("3", "m", "next to", "h")


def how(style: Style = Style.REGIONGPT, seed: int = 0) -> Instruction:
    return Instruction(
        style=style, mode=InstructionMode.MULTI_TURN_ALL, wordings=WORDING_SETS, seed=seed
    )


def relationships(*items, image=IMAGE) -> ScreenedImage:
    return ScreenedImage(image, REGIONS, items)


def asked(*items, **options):
    return dialogues(relationships(*items), how(**options))


def test_the_table_has_the_task():
    assert DIALOGUES[Task.REGION_RELATIONSHIP] is dialogues
    assert WORDING_SETS[RELATIONSHIP.name] is RELATIONSHIP
    assert len(RELATIONSHIP.wordings) >= 10
    assert problems(RELATIONSHIP.placeholders, RELATIONSHIP.wordings) == []


def test_wordings_ask_in_both_directions():
    firsts = [text.index("<subject>") < text.index("<object>") for text in RELATIONSHIP.wordings]
    assert any(firsts)
    assert not all(firsts)


def test_a_turn_for_each_relationship():
    (turns,) = asked(RIDES, STANDS)
    assert {turn.items: turn.answer for turn in turns} == {
        ("1",): "The man is riding the horse.",
        ("2",): "The horse is on the green fields.",
    }
    assert all(turn.task is Task.REGION_RELATIONSHIP and not turn.suffix for turn in turns)
    assert all(turn.prompt.startswith("region_relationship/") for turn in turns)


@pytest.mark.parametrize("style", Style)
def test_both_regions_are_bare_placeholders(style):
    for seed in range(40):
        ((turn,),) = dialogues(relationships(RIDES), how(style, seed))
        record = assemble("id", style, [turn])
        request = record.messages[0].content
        numbers = {region.region_id: k for k, region in enumerate(record.regions, start=1)}
        assert sorted(numbers) == ["h", "m"]
        wording = next(
            text
            for text in RELATIONSHIP.wordings
            if request.endswith(
                text.replace("<subject>", f"<region{numbers['m']}>").replace(
                    "<object>", f"<region{numbers['h']}>"
                )
            )
        )
        assert (numbers["m"] == 1) == (wording.index("<subject>") < wording.index("<object>"))


def test_a_pair_is_asked_about_once_in_a_conversation():
    conversations = asked(RIDES, STANDS, NEAR)
    assert [len(turns) for turns in conversations] == [2, 1]
    assert {turn.items[0] for turns in conversations for turn in turns} == {"1", "2", "3"}
    back = Relationship("4", "h", "under", "m")  # the other way round is another question
    assert [len(turns) for turns in asked(RIDES, back)] == [2]


def test_what_cannot_be_told_is_left_unused():
    itself = Relationship("5", "m", "near", "m")
    typo = Relationship("6", "m", "agaist", "h")
    nameless = Relationship("7", "m", "near", "n")
    assert asked(itself, typo, nameless, Expression("8", "m", "a man")) == []
    ((turn,),) = asked(itself, typo, RIDES, nameless)
    assert turn.items == ("1",)


def test_pieces_that_make_a_placeholder_are_not_joined():
    regions = (replace(REGIONS[0], category="man <"), replace(REGIONS[1], category="region1>"))
    assert dialogues(ScreenedImage(IMAGE, regions, (RIDES,)), how()) == []


def test_the_order_given_decides_nothing():
    expected = asked(RIDES, STANDS, NEAR)
    for items in permutations((RIDES, STANDS, NEAR)):
        assert asked(*items) == expected


def test_the_seed_and_the_image_decide():
    images = [replace(IMAGE, image_id=str(number)) for number in range(30)]
    orders = {
        tuple(
            turn.items[0] for turn in dialogues(relationships(RIDES, STANDS, image=image), how())[0]
        )
        for image in images
    }
    assert orders == {("1", "2"), ("2", "1")}
    prompts = {asked(RIDES, seed=seed)[0][0].prompt for seed in range(150)}
    assert len(prompts) == len(RELATIONSHIP.wordings)

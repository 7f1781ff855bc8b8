"""Captions of an owner's: with its request, or after the image alone."""

import pytest

from prompts.catalog import DIALOGUES, WORDING_SETS
from prompts.dialogue import assemble
from prompts.image_caption import dialogues
from prompts.instruction import Instruction, InstructionMode
from schemas.item import Dialogue, Expression, Round
from schemas.sample import Region, ScreenedImage, Task
from schemas.style import Style

ITEM = Dialogue("d", (Round("What is this?", "a garden with a clipped hedge"),))


@pytest.fixture
def conversations_of(make_image):
    def tell(items=(ITEM,), regions=(), style=Style.REGIONGPT, plain_captions=False):
        how = Instruction(
            style=style,
            mode=InstructionMode.MULTI_TURN_ALL,
            wordings=WORDING_SETS,
            seed=0,
            plain_captions=plain_captions,
        )
        return dialogues(ScreenedImage(make_image(), tuple(regions), tuple(items)), how)

    return tell


def said(exchanges, style=Style.REGIONGPT):
    return [message.content for message in assemble("id", style, exchanges).messages]


def test_the_table_knows_it():
    assert DIALOGUES[Task.IMAGE_CAPTION] is dialogues


@pytest.mark.parametrize(
    ("style", "before"),
    [
        (Style.REGIONGPT, "<image>"),
        (Style.GPT4ROI, "The <image> provides an overview of the picture."),
    ],
)
def test_the_owners_request_and_caption(conversations_of, style, before):
    (exchanges,) = conversations_of(style=style)
    assert said(exchanges, style) == [f"{before}\nWhat is this?", "a garden with a clipped hedge"]
    assert [(turn.task, turn.prompt, turn.items) for turn in exchanges] == [
        (Task.IMAGE_CAPTION, "owner", ("d",))
    ]


def test_the_plain_template_shows_the_image_alone(conversations_of):
    (exchanges,) = conversations_of(plain_captions=True)
    assert said(exchanges) == ["<image>", "a garden with a clipped hedge"]
    assert exchanges[0].prompt == "plain"


def test_regions_and_other_items_are_not_its_business(conversations_of):
    region = Region(region_id="r", bbox=(0, 0, 1, 1), category="cat")
    (exchanges,) = conversations_of(items=(ITEM, Expression("e", "r", "left")), regions=(region,))
    assert assemble("id", Style.REGIONGPT, exchanges).regions == ()

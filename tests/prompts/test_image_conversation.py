"""Conversations of an owner's: verbatim, with regions declared before some of them."""

import pytest

from prompts.catalog import DIALOGUES, WORDING_SETS
from prompts.dialogue import assemble
from prompts.image_conversation import dialogues
from prompts.instruction import Instruction, InstructionMode
from schemas.item import Dialogue, Expression, Round
from schemas.sample import Region, ScreenedImage, Task
from schemas.style import Style

REGIONS = tuple(
    Region(region_id=str(number), bbox=(0, 0, 1, 1), category=name)
    for number, name in enumerate(("hot dog", "apple", "traffic_light", None))
)
ITEMS = tuple(
    Dialogue(
        f"d{number}", (Round(f"Q{number}?", "A."), Round("And?\n\n  x", "B."))[: number % 2 + 1]
    )
    for number in range(40)
)


def how(style=Style.REGIONGPT, seed=0, no_box_share=0.5):
    return Instruction(
        style=style,
        mode=InstructionMode.MULTI_TURN_ALL,
        wordings=WORDING_SETS,
        seed=seed,
        no_box_share=no_box_share,
    )


@pytest.fixture
def conversations_of(make_image):
    def tell(regions=REGIONS, items=ITEMS, **changes):
        screened = ScreenedImage(make_image(), tuple(regions), tuple(items))
        return dialogues(screened, how(**changes))

    return tell


def first_request(exchanges, style=Style.REGIONGPT):
    return assemble("id", style, exchanges).messages[0].content


def test_the_table_knows_it():
    assert DIALOGUES[Task.IMAGE_CONVERSATION] is dialogues


def test_one_conversation_for_each_dialogue(conversations_of):
    conversations = conversations_of(no_box_share=1)
    assert [[turn.items for turn in exchanges] for exchanges in conversations] == [
        [(item.id,)] * len(item.rounds) for item in ITEMS
    ]
    for exchanges, item in zip(conversations, ITEMS, strict=True):
        said = [message.content for message in assemble("id", Style.REGIONGPT, exchanges).messages]
        assert said[0] == f"<image>\n{item.rounds[0].request}"
        assert said[1::2] == [turn.answer for turn in item.rounds]
        assert said[2::2] == [turn.request for turn in item.rounds[1:]]
        assert {turn.task for turn in exchanges} == {Task.IMAGE_CONVERSATION}
        assert {turn.prompt for turn in exchanges} == {"owner"}


@pytest.mark.parametrize("style", Style)
def test_regions_are_declared_by_class(conversations_of, style):
    (exchanges,) = conversations_of(items=ITEMS[:1], no_box_share=0, style=style)
    conversation = assemble("id", style, exchanges)
    names = [str(region.category).replace("_", " ") for region in conversation.regions]
    assert sorted(names) == ["apple", "hot dog", "traffic light"]  # the one without a name is left
    line = ", ".join(
        f"<region{number}> may feature {'an' if name == 'apple' else 'a'} {name}"
        for number, name in enumerate(names, start=1)
    )
    before = "<image>" if style is Style.REGIONGPT else (
        "The <image> provides an overview of the picture."
    )  # fmt: skip
    assert conversation.messages[0].content == f"{before}\n{line}\nQ0?"
    assert all("may feature" not in message.content for message in conversation.messages[1:])


@pytest.mark.parametrize("regions", [REGIONS[:1], ()])
@pytest.mark.parametrize("style", Style)
def test_a_first_round_without_words_leaves_the_image_and_its_regions(
    conversations_of, style, regions
):
    items = (Dialogue("d", (Round("", "A hot dog."), Round("And?", "B."))),)
    (exchanges,) = conversations_of(items=items, regions=regions, no_box_share=0, style=style)
    before = "<image>" if style is Style.REGIONGPT else (
        "The <image> provides an overview of the picture."
    )  # fmt: skip
    line = "\n<region1> may feature a hot dog" if regions else ""
    assert first_request(exchanges, style) == f"{before}{line}"
    assert exchanges[1].request == ("And?",)


def test_the_share_no_box_share_is_chosen_by_hash(conversations_of):
    half = [
        "may feature" in first_request(exchanges)
        for exchanges in conversations_of(no_box_share=0.5)
    ]
    assert 8 < sum(half) < 32
    assert half == [
        "may feature" in first_request(exchanges)
        for exchanges in conversations_of(no_box_share=0.5)
    ]
    alone = conversations_of(items=ITEMS[7:8], no_box_share=0.5)[0]
    assert ("may feature" in first_request(alone)) is half[7]
    less = [
        "may feature" in first_request(exchanges)
        for exchanges in conversations_of(no_box_share=0.8)
    ]
    assert all(one <= other for one, other in zip(less, half, strict=True))
    assert all(
        "may feature" in first_request(exchanges) for exchanges in conversations_of(no_box_share=0)
    )
    assert half != [
        "may feature" in first_request(f) for f in conversations_of(no_box_share=0.5, seed=1)
    ]


def test_order_decides_nothing(conversations_of):
    (one,), (other,) = (
        conversations_of(regions=regions, items=ITEMS[:1], no_box_share=0)
        for regions in (REGIONS, REGIONS[::-1])
    )
    assert one == other


def test_no_regions_no_line(conversations_of):
    (exchanges,) = conversations_of(regions=(), items=ITEMS[:1], no_box_share=0)
    assert first_request(exchanges) == "<image>\nQ0?"


def test_other_items_are_not_its_business(conversations_of):
    assert conversations_of(items=(Expression("e", "0", "the left one"),)) == []


def test_telling_again_tells_the_same(conversations_of):
    assert conversations_of() == conversations_of()


@pytest.mark.parametrize("file_name", ["7.jpg", None])
def test_only_rounds_without_an_image_need_the_rounds_before_them(make_image, file_name):
    screened = ScreenedImage(make_image(file_name=file_name), (), ITEMS)
    needs = [[turn.follows for turn in exchanges] for exchanges in dialogues(screened, how())]
    expected = [[False] + [file_name is None] * (len(item.rounds) - 1) for item in ITEMS]
    assert needs == expected

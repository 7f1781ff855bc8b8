"""Compose: whatever regions are called, their conversations make right records."""

import re
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from prompts.catalog import WORDING_SETS
from prompts.instruction import Instruction, InstructionMode
from schemas.check import check_record
from schemas.columns import BuildStamp, Row, to_batch
from schemas.ledger import Stage, ledger_of
from schemas.mask import from_polygons
from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import Draft, LabelSet, Region, ScreenedImage, Task
from schemas.style import Style
from schemas.text import shown_name
from transforms.compose import compose_image
from transforms.ledger import StageLedger

MODES = [
    (Style.REGIONGPT, InstructionMode.MULTI_TURN_ALL),
    (Style.REGIONGPT, InstructionMode.ONE_TURN_ALL),
    (Style.REGIONGPT, InstructionMode.ONE_TURN_ONE),
    (Style.GPT4ROI, InstructionMode.MULTI_TURN_ALL),
]
TASKS = (Task.REGION_CLASSIFICATION,)
HOW = pytest.mark.parametrize(("style", "mode"), MODES)


def instruction(style: Style, mode: InstructionMode) -> Instruction:
    return Instruction(style=style, mode=mode, wordings=WORDING_SETS, seed=0)


@pytest.fixture(scope="session")
def screened(make_image):
    """Makes an image with a region of each category; every other region has a mask."""
    mask = from_polygons([[1.0, 1.0, 9.0, 1.0, 9.0, 9.0]], 10, 20)

    def make(*categories: str, image_id: str = "7") -> ScreenedImage:
        regions = tuple(
            Region(
                region_id=str(number),
                bbox=(0.0, 0.0, 4.5, 5.0),
                mask=mask if number % 2 else None,
                category=category,
            )
            for number, category in enumerate(categories)
        )
        labels = LabelSet.of("Things", tuple(dict.fromkeys(categories)))
        return ScreenedImage(make_image(image_id=image_id), regions, label_set=labels)

    return make


def composed(screened: ScreenedImage, style: Style, mode: InstructionMode) -> Draft:
    draft = compose_image(screened, TASKS, instruction(style, mode), StageLedger(Stage.COMPOSE))
    assert draft is not None
    return draft


def records(draft: Draft) -> list[dict]:
    """The records as they are read from a shard that refers to its images."""
    image = draft.image
    rows = [
        Row(image, image.file_name, conversation, (image.width, image.height))
        for conversation in draft.conversations
    ]
    stamp = BuildStamp(builder="regionforge", recipe="all", seed=0)
    records: list[dict] = to_batch(rows, stamp).to_pylist()
    return records


def showable(name: str) -> bool:
    try:
        shown_name(name)
    except Rejected:
        return False
    return True


HOSTILE = st.lists(
    st.sampled_from(
        [
            *("<image>", "<region1>", "<region", "<region2", ">", "<", "###", "USER:", "\n", "＜"),
            *("region1", "<categories>", "<region>", "_", ",", " and ", "\0", "cat", "</s>", "＞"),
        ]
    ),
    min_size=1,
    max_size=4,
).map("".join)
NAMES = (HOSTILE | st.text(st.characters(codec="utf-8"), max_size=8)).filter(showable)


@given(st.lists(NAMES, min_size=1, max_size=8), st.sampled_from(MODES))
def test_any_names_make_right_records(screened, names, style_and_mode):
    image = screened(*names)
    seen = []
    for record in records(composed(image, *style_and_mode)):
        assert check_record(record) == []
        contents = [message["content"] for message in record["messages"]]
        tokens = re.findall(r"<region(\d+)>", "".join(contents))
        assert tokens == [str(number) for number in range(1, len(record["regions"]) + 1)]
        assert [content.count("<image>") for content in contents[1:]] == [0] * len(contents[1:])
        assert contents[0].count("<image>") == 1
        assert not [content for content in contents if "###" in content or "</s>" in content]
        seen += [(region["region_id"], region["category"]) for region in record["regions"]]
    assert sorted(seen) == [(region.region_id, region.category) for region in image.regions]


@HOW
def test_the_order_of_regions_decides_nothing(screened, style, mode):
    image = screened("cat", "dog", "cat", "owl")
    expected = composed(image, style, mode)
    for regions in permutations(image.regions):
        assert composed(replace(image, regions=regions), style, mode) == expected


@HOW
def test_ids_and_accounts(screened, style, mode):
    ledger = StageLedger(Stage.COMPOSE)
    draft = compose_image(screened("cat", "dog", "owl"), TASKS, instruction(style, mode), ledger)
    assert draft is not None
    number = 3 if mode is InstructionMode.ONE_TURN_ONE else 1
    assert [conversation.id for conversation in draft.conversations] == [
        f"coco/train/7/region_classification/{ordinal}" for ordinal in range(number)
    ]
    accounts = ledger_of(ledger.tally).sources["coco"]["train"][Stage.COMPOSE]
    assert {kind: (account.read, account.kept) for kind, account in accounts.items()} == {
        Kind.IMAGE: (1, 1),
        Kind.ANNOTATION: (3, 3),
        Kind.CONVERSATION: (number, number),
    }


@HOW
def test_an_image_without_regions_is_rejected(screened, style, mode):
    ledger = StageLedger(Stage.COMPOSE)
    assert compose_image(screened(), TASKS, instruction(style, mode), ledger) is None
    assert [(item.kind, item.id, item.reason) for item in ledger.rejections] == [
        (Kind.IMAGE, "7", Reason.NO_REGIONS)
    ]
    assert set(ledger_of(ledger.tally).sources["coco"]["train"][Stage.COMPOSE]) == {Kind.IMAGE}

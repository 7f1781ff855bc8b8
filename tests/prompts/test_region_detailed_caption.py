"""Detailed captions of regions: a turn for each region that has one."""

import re
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts.catalog import WORDING_SETS
from prompts.instruction import Instruction, InstructionMode
from prompts.region_detailed_caption import DETAILED, dialogues
from schemas.ledger import Stage
from schemas.sample import LabelSet, Region, ScreenedImage, Task
from schemas.style import Style
from transforms.compose import compose_image
from transforms.ledger import StageLedger

REGIONS = tuple(
    Region(name, (at, 0.0, at + 4.0, 5.0), category="dog", caption=f"A dog called {name}.")
    for at, name in enumerate("abcde")
)
SILENT = Region("z", (0.0, 0.0, 1.0, 1.0), category="dog")


def how(style: Style = Style.REGIONGPT, seed: int = 0) -> Instruction:
    mode = InstructionMode.MULTI_TURN_ALL
    return Instruction(style=style, mode=mode, wordings=WORDING_SETS, seed=seed)


def test_each_captioned_region_gets_a_turn(make_image, compose):
    screened = ScreenedImage(make_image(), (*REGIONS, SILENT))
    draft, (record,) = compose(screened, Task.REGION_DETAILED_CAPTION, how())
    assert draft is not None
    assert sorted(draft.region_ids()) == list("abcde")
    assert set(record["turn_tasks"]) == {"region_detailed_caption"}
    told = [message["content"] for message in record["messages"]]
    assert told[0].startswith("<image>\n")
    assert told[1::2] == [region["caption"] for region in record["regions"]]
    for number, request in enumerate(told[::2], start=1):
        assert re.findall(r"<region(\d+)>", request) == [str(number)]
        wording = request.removeprefix("<image>\n").replace(f"<region{number}>", "<region>")
        assert wording in DETAILED.wordings
    assert all(prompt.startswith("region_detailed_caption/") for prompt in prompts_of(record))


def prompts_of(record) -> list[str]:
    return list(record["provenance"]["prompts"])


def test_regions_have_names_in_gpt4roi_style(make_image, compose):
    screened = ScreenedImage(make_image(), REGIONS)
    _, (record,) = compose(screened, Task.REGION_DETAILED_CAPTION, how(Style.GPT4ROI))
    for number, message in enumerate(record["messages"][::2], start=1):
        assert f"region{number} <region{number}>" in message["content"]


def test_without_captions_there_is_nothing_to_ask(make_image):
    assert dialogues(ScreenedImage(make_image(), (SILENT,)), how()) == []


@given(st.permutations(REGIONS), st.sampled_from(Style), st.integers())
def test_the_order_of_regions_decides_nothing(make_image, regions, style, seed):
    shuffled = ScreenedImage(make_image(), tuple(regions))
    screened = ScreenedImage(make_image(), REGIONS)
    assert dialogues(shuffled, how(style, seed)) == dialogues(screened, how(style, seed))


def test_order_and_wordings_are_drawn_by_seed_and_image(make_image):
    def drawn(seed: int = 0, image_id: str = "7") -> tuple[tuple[str, str], ...]:
        screened = ScreenedImage(make_image(image_id=image_id), REGIONS)
        ((*turns,),) = dialogues(screened, how(seed=seed))
        return tuple((str(turn.answer), turn.prompt) for turn in turns)

    assert len({drawn(seed=number) for number in range(30)}) == 30
    assert len({drawn(image_id=str(number)) for number in range(30)}) == 30


def test_half_of_the_images_are_described_in_a_conversation_of_their_own(make_image):
    """Merged: a detailed caption stands alone or below its region's classification, by hash."""
    tasks = (Task.REGION_DETAILED_CAPTION, Task.REGION_CLASSIFICATION)
    orders: Counter[tuple[tuple[Task, ...], ...]] = Counter()
    for number in range(400):
        image = make_image(image_id=str(number))
        screened = ScreenedImage(image, REGIONS, label_set=LabelSet.of("Pets", ("dog",)))
        draft = compose_image(
            screened, tasks, replace(how(), merge=True), StageLedger(Stage.COMPOSE)
        )
        assert draft is not None
        orders[tuple(talk.turn_tasks for talk in draft.conversations)] += 1
    named, described = (Task.REGION_CLASSIFICATION,) * 5, (Task.REGION_DETAILED_CAPTION,) * 5
    assert set(orders) == {(named, described), (named + described,)}
    assert 160 < orders[named, described] < 240


@pytest.mark.parametrize("name", ["region_detailed_caption"])
def test_there_are_enough_wordings(name):
    assert WORDING_SETS[name] is DETAILED
    assert DETAILED.placeholders == ("<region>",)
    assert len(DETAILED.wordings) >= 10

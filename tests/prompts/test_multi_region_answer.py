"""Questions about several regions at once: each name stands with its own region."""

import re
from collections import Counter

import pytest

from prompts.instruction import Instruction, InstructionMode
from prompts.multi_region_answer import RESPECTIVELY
from schemas.sample import ImageInfo, Region, ScreenedImage, Task
from schemas.style import Style

NAMES = ("cat", "dog", "traffic_light", "bus", "cat", "kite", "cat")


def regions(*names: str | None) -> tuple[Region, ...]:
    return tuple(
        Region(str(k), (9.0 * k, 0.0, 9.0 * k + 8, 9.0), category=name)
        for k, name in enumerate(names)
    )


@pytest.fixture
def asked(compose):
    """The record about the regions of an image, or None."""

    def call(*names: str | None, image: str = "1", style: Style = Style.REGIONGPT, seed: int = 0):
        info = ImageInfo("coco", "train", image, "a.jpg", "", 100, 100, 100, "none", 1)
        instruction = Instruction(
            style=style,
            mode=InstructionMode.MULTI_TURN_ALL,
            wordings={RESPECTIVELY.name: RESPECTIVELY},
            seed=seed,
        )
        screened = ScreenedImage(info, regions(*names))
        _, records = compose(screened, Task.MULTI_REGION_ANSWER, instruction)
        return records[0] if records else None

    return call


@pytest.mark.parametrize("style", Style)
def test_each_region_has_its_own_name_in_the_answer(asked, style) -> None:
    sizes: Counter[int] = Counter()
    for number in range(60):
        record = asked(*NAMES, image=str(number), style=style)
        texts = [message["content"] for message in record["messages"]]
        seen = []
        for question, answer in zip(texts[::2], texts[1::2], strict=True):
            shown = re.findall(r"<region(\d+)>", question)
            mark = r"Region \[(\d+)\]" if style is Style.REGIONGPT else r"region(\d+)"
            pairs = re.findall(rf"{mark}: ([a-z ]+?)(?:; |$)", answer)
            assert [number for number, _ in pairs] == shown
            for position, name in pairs:
                assert record["regions"][int(position) - 1]["category"] == name.replace(" ", "_")
            assert len({name for _, name in pairs}) > 1, "one name for all answers any order"
            sizes[len(pairs)] += 1
            seen += shown
        assert len(seen) == len(set(seen))
    assert sizes.keys() == {2, 3, 4}


@pytest.mark.parametrize("names", [(), ("cat",), ("cat", "cat"), ("cat", None), ("cat", "a;b")])
def test_regions_that_cannot_be_told_apart_by_name_have_no_turn(asked, names) -> None:
    assert asked(*names) is None


def test_the_order_of_regions_is_by_hash(asked) -> None:
    firsts = {asked(*NAMES, image=str(k))["regions"][0]["region_id"] for k in range(40)}
    assert len(firsts) == len(NAMES)


def test_groups_depend_on_seed_and_ids_alone(asked) -> None:
    talks = [asked(*NAMES, seed=seed)["messages"] for seed in (0, 0, 1, 2)]
    assert talks[0] == talks[1]
    assert talks[0] != talks[2] or talks[0] != talks[3]

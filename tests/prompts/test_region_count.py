"""Questions how many objects of a class there are: numbers of classes that are known completely."""

import re
from collections import Counter

import pytest

from prompts.instruction import Instruction, InstructionMode
from prompts.region_count import COUNT, dialogues
from schemas.classes import KnownClasses
from schemas.sample import ImageInfo, Region, ScreenedImage, Task
from schemas.style import Style

BOX = (0.0, 0.0, 10.0, 10.0)
CAT = Region("1", BOX, category="cat")
INSTRUCTION = Instruction(
    style=Style.REGIONGPT,
    mode=InstructionMode.MULTI_TURN_ALL,
    wordings={COUNT.name: COUNT},
    seed=0,
)


def pictured(classes: KnownClasses | None, image: str = "1") -> ScreenedImage:
    info = ImageInfo("coco", "train", image, "a.jpg", "", 100, 100, 100, "none", 1)
    return ScreenedImage(info, (CAT,), classes=classes)


def asked(classes: KnownClasses | None, image: str = "1") -> list[tuple[str, str]]:
    """The class and the answer of each turn about an image."""
    return [
        (re.findall(r"\b(?:cat|dog|bus|yak|big ox)\b", str(turn.request))[0], str(turn.answer))
        for talk in dialogues(pictured(classes, image), INSTRUCTION)
        for turn in talk
    ]


def test_every_known_class_is_counted_once_in_an_order_by_hash() -> None:
    known = KnownClasses({"bus": (BOX,) * 12, "cat": (BOX,), "dog": (BOX,) * 3})
    orders = {tuple(asked(known, str(number))) for number in range(30)}
    assert {frozenset(order) for order in orders} == {
        frozenset({("bus", "12"), ("cat", "1"), ("dog", "3")})
    }
    assert len(orders) == 6
    assert all(len(order) == 3 for order in orders)


def test_a_class_that_was_looked_for_in_vain_is_counted_as_none() -> None:
    known = KnownClasses({"cat": (BOX, BOX)}, absent=("big_ox", "yak"))
    counts = Counter(turn for number in range(60) for turn in asked(known, str(number)))
    assert counts.keys() == {("cat", "2"), ("yak", "0"), ("big ox", "0")}
    assert counts["cat", "2"] == 60 == counts["yak", "0"] + counts["big ox", "0"]


@pytest.mark.parametrize("classes", [None, KnownClasses()])
def test_nothing_is_counted_where_nothing_is_known(classes) -> None:
    assert asked(classes) == []


@pytest.mark.parametrize("style", Style)
def test_a_record_of_counts_is_about_the_image_alone(compose, style) -> None:
    known = KnownClasses({"cat": (BOX,)})
    instruction = Instruction(
        style=style,
        mode=InstructionMode.MULTI_TURN_ALL,
        wordings={COUNT.name: COUNT},
        seed=0,
        merge=True,
    )
    _, (record,) = compose(pictured(known), Task.REGION_COUNT, instruction)
    assert record["regions"] == []
    assert record["messages"][-1] == {"role": "assistant", "content": "1"}
    assert "<region" not in record["messages"][0]["content"]

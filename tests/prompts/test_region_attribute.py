"""Questions about the attributes that an owner states: all of a region's, and none told before."""

import pytest

from prompts.instruction import Instruction, InstructionMode
from prompts.region_attribute import OWNERS
from schemas.item import Attribute, RegionAttributes
from schemas.sample import ImageInfo, Region, ScreenedImage, Task
from schemas.style import Style

GREEN, TALL = Attribute("attribute", "green"), Attribute("attribute", "tall")
CLOCK = Region("a/1", (0.0, 0.0, 10.0, 10.0), category="clock")
TREE = Region("a/2", (20.0, 0.0, 30.0, 10.0), category="tree")


def stated(region: Region, *attributes: Attribute) -> RegionAttributes:
    return RegionAttributes(region.region_id, region.region_id, attributes)


@pytest.fixture
def asked(compose):
    """The draft and the records about the regions of an image, whose owner states attributes."""

    def call(regions, items, image: str = "1", style: Style = Style.REGIONGPT):
        info = ImageInfo("visual_genome", "train", image, "a.jpg", "", 99, 99, 99, "none", 1)
        instruction = Instruction(
            style=style,
            mode=InstructionMode.MULTI_TURN_ALL,
            wordings={OWNERS.name: OWNERS},
            seed=0,
        )
        return compose(ScreenedImage(info, regions, items), Task.REGION_ATTRIBUTE, instruction)

    return call


@pytest.mark.parametrize("style", Style)
def test_an_answer_has_all_attributes_of_its_region(asked, style) -> None:
    items = (stated(CLOCK, GREEN, TALL), stated(TREE, TALL))
    draft, (record,) = asked((CLOCK, TREE), items, style=style)
    answers = [each["content"] for each in record["messages"] if each["role"] == "assistant"]
    by_region = dict(
        zip([region["region_id"] for region in record["regions"]], answers, strict=True)
    )
    assert by_region == {"a/1": "green, tall", "a/2": "tall"}
    assert {item for _, item in draft.items} == {"a/1", "a/2"}
    values = {r["region_id"]: [a["value"] for a in r["attributes"]] for r in record["regions"]}
    assert values == {"a/1": ["green", "tall"], "a/2": ["tall"]}


def test_of_regions_of_one_object_one_is_asked_about(asked) -> None:
    again = Region("a/3", (0.0, 1.0, 10.0, 10.0), category="face")
    items = (stated(CLOCK, GREEN), stated(again, GREEN), stated(TREE, TALL))
    firsts = set()
    for number in range(30):
        _, (record,) = asked((CLOCK, again, TREE), items, image=str(number))
        ids = {region["region_id"] for region in record["regions"]}
        assert len(ids) == 2
        firsts |= ids
    assert firsts == {"a/1", "a/2", "a/3"}


def test_regions_without_attributes_have_no_question(asked) -> None:
    assert asked((CLOCK, TREE), ()) == (None, [])

"""Classification as it is evaluated: in three modes, in one wording, and what is right."""

from dataclasses import replace

import pytest

from prompts.catalog import WORDING_SETS
from prompts.evaluation.classification import dialogues
from prompts.instruction import Instruction, InstructionMode
from prompts.region_classification import ONE_REGION, SEVERAL_REGIONS
from schemas.sample import LabelSet, Region, ScreenedImage, Task
from schemas.style import Style

NAMES = ("person", "traffic_light", "hot dog")
LABELS = LabelSet.of("COCO-80", NAMES)
REGIONS = tuple(
    Region(str(number), (0, 0, number, 2), category=NAMES[number % 3]) for number in (12, 3, 7)
)
HOW = Instruction(
    style=Style.REGIONGPT,
    mode=InstructionMode.ONE_TURN_ONE,
    wordings=WORDING_SETS,
    seed=0,
    evaluation=True,
)


@pytest.fixture
def asked(compose, make_image):
    """The records of an image with some regions."""

    def ask(regions=REGIONS, labels=LABELS, mode=InstructionMode.ONE_TURN_ONE):
        screened = ScreenedImage(make_image(), tuple(regions), label_set=labels)
        return compose(screened, Task.REGION_CLASSIFICATION, replace(HOW, mode=mode))[1]

    return ask


def test_each_region_is_a_record_with_what_it_is_scored_by(asked):
    records = asked()
    request = ONE_REGION.wordings[0].replace("<region>", "<region1>")
    suffix = "Answer the question using COCO-80 category names."
    for record, region in zip(records, REGIONS, strict=True):
        assert region.category
        name = region.category.replace("_", " ")
        assert [one["region_id"] for one in record["regions"]] == [region.region_id]
        assert [message["content"] for message in record["messages"]] == [
            f"<image>\n{request} {suffix}",
            name,
        ]
        assert record["evaluation"][0] == {
            "turn": 0,
            "position": 0,
            "item_id": region.region_id,
            "group": "7",
            "references": [name],
            "choices": ["person", "traffic light", "hot dog"],
            "label": NAMES.index(region.category),
        }


def test_all_regions_of_an_image_are_asked_about_turn_by_turn(asked):
    (record,) = asked(mode=InstructionMode.MULTI_TURN_ALL)
    request = ONE_REGION.wordings[0]
    suffix = " Answer the question using COCO-80 category names."
    names = ["person", "person", "traffic light"]
    assert [message["content"] for message in record["messages"]] == [
        "<image>\n" + request.replace("<region>", "<region1>") + suffix,
        names[0],
        request.replace("<region>", "<region2>"),
        names[1],
        request.replace("<region>", "<region3>"),
        names[2],
    ]
    assert [region["region_id"] for region in record["regions"]] == ["12", "3", "7"]
    assert [
        (entry["turn"], entry["position"], entry["item_id"], entry["references"])
        for entry in record["evaluation"]
    ] == [(0, 0, "12", ["person"]), (1, 0, "3", ["person"]), (2, 0, "7", ["traffic light"])]


def test_all_regions_of_an_image_are_asked_about_in_one_turn(asked):
    (record,) = asked(mode=InstructionMode.ONE_TURN_ALL)
    request = SEVERAL_REGIONS.wordings[0].replace("<region>", "<region1>, <region2> and <region3>")
    assert [message["content"] for message in record["messages"]] == [
        f"<image>\n{request} Answer the question using COCO-80 category names.",
        "person, person, traffic light",
    ]
    for position, (entry, region) in enumerate(zip(record["evaluation"], REGIONS, strict=True)):
        name = record["messages"][1]["content"].split(", ")[position]
        assert (entry["turn"], entry["position"]) == (0, position)
        assert (entry["item_id"], entry["references"]) == (region.region_id, [name])
        assert entry["choices"][entry["label"]] == name


def test_one_turn_holds_ten_regions_at_most_and_a_name_with_a_comma_stands_alone(asked):
    labels = LabelSet.of("Many", ("a", "b, c"))
    regions = [
        Region(str(number), (0, 0, number, 2), category=labels.categories[number == 5])
        for number in range(1, 14)
    ]
    records = asked(regions, labels, InstructionMode.ONE_TURN_ALL)
    answers = [record["messages"][1]["content"] for record in records]
    assert answers == [", ".join("a" * 10), "a, a", "b, c"]
    assert [len(record["evaluation"]) for record in records] == [10, 2, 1]
    assert [entry["item_id"] for record in records for entry in record["evaluation"]] == [
        *map(str, (1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13)),
        "5",
    ]


def test_a_label_set_too_long_to_travel_leaves_no_choices(asked):
    labels = LabelSet.of("Many", tuple(f"name {number}" for number in range(101)))
    (record,) = asked([Region("1", (0, 0, 2, 2), category="name 100")], labels.brief())
    (said,) = record["evaluation"]
    assert (said["choices"], said["label"], said["references"]) == ([], None, ["name 100"])


def test_what_has_no_category_is_not_asked_about(make_image):
    bare = Region("1", (0, 0, 2, 2))
    assert dialogues(ScreenedImage(make_image(), (bare,), label_set=LABELS), HOW) == []
    assert dialogues(ScreenedImage(make_image(), ()), HOW) == []

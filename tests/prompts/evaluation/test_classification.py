"""Classification as it is evaluated: a region a conversation, one wording, and what is right."""

import pytest

from prompts.catalog import WORDING_SETS
from prompts.evaluation.classification import dialogues
from prompts.instruction import Instruction, InstructionMode
from prompts.region_classification import ONE_REGION
from prompts.style import Style
from schemas.sample import LabelSet, Region, ScreenedImage, Task

NAMES = ("person", "traffic_light", "hot dog")
LABELS = LabelSet("COCO-80", NAMES)
REGIONS = tuple(
    Region(str(number), (0, 0, number, 2), category=NAMES[number % 3]) for number in (12, 3, 7)
)
HOW = Instruction(
    style=Style.REGIONGPT,
    mode=InstructionMode.MULTI_TURN_ALL,
    wordings=WORDING_SETS,
    seed=0,
    evaluation=True,
)


@pytest.fixture
def asked(compose, make_image):
    """The records of an image with some regions."""

    def ask(regions=REGIONS, labels=LABELS):
        screened = ScreenedImage(make_image(), tuple(regions), label_set=labels)
        return compose(screened, Task.REGION_CLASSIFICATION, HOW)[1]

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


def test_a_label_set_too_long_to_travel_leaves_no_choices(asked):
    labels = LabelSet("Many", tuple(f"name {number}" for number in range(101)))
    (record,) = asked([Region("1", (0, 0, 2, 2), category="name 100")], labels.brief())
    (said,) = record["evaluation"]
    assert (said["choices"], said["label"], said["references"]) == ([], None, ["name 100"])


def test_what_has_no_category_is_not_asked_about(make_image):
    bare = Region("1", (0, 0, 2, 2))
    assert dialogues(ScreenedImage(make_image(), (bare,), label_set=LABELS), HOW) == []
    assert dialogues(ScreenedImage(make_image(), ()), HOW) == []

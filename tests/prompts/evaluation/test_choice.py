"""Choices among a detector's boxes: what is right, what is added, and in which order."""

from collections import Counter

import pytest
from msgspec.structs import replace

from prompts.catalog import WORDING_SETS
from prompts.evaluation.choice import dialogues
from prompts.instruction import Instruction, InstructionMode
from prompts.referring_expression_comprehension import CHOICE
from schemas.item import CaptionProvenance, DetailedCaption, Expression
from schemas.mask import Mask
from schemas.sample import Region, ScreenedImage, Task
from schemas.style import Style

TASK = Task.REFERRING_EXPRESSION_COMPREHENSION
MEANT = Region("77", (0, 0, 10, 8), Mask(10, 20, "dP3"), category="cat")
SAID = Expression("5/50", "77", "the cat")


def detected(name, *box, score=0.875):
    return Region(name, box, category="dog", score=score)


EXACT = detected("exact", 0, 0, 10, 8)
HALF = detected("half", 0, 0, 10, 4)  # 40 of 80 square pixels
NEARLY = detected("nearly", 0, 0, 10, 3.999)
WIDE = detected("wide", 0, 0, 20, 8)  # 80 of 160
AWAY = detected("away", 12, 0, 20, 8)
BESIDE = detected("beside", 10, 0, 20, 8)  # touches
OTHERS = [detected(f"other{place}", 12, 1, 12 + place / 8, 9) for place in range(1, 9)]


def how(seed=0):
    return Instruction(
        style=Style.REGIONGPT,
        mode=InstructionMode.MULTI_TURN_ALL,
        wordings=WORDING_SETS,
        seed=seed,
        evaluation=True,
    )


@pytest.fixture(scope="session")
def asked(compose, make_image):
    """The records of an image in which one region is meant, among detections."""

    def ask(*detections, items=(SAID,), meant=MEANT, image_id="7", seed=0):
        image = make_image(image_id=image_id)
        screened = ScreenedImage(image, (meant, *detections), tuple(items))
        return compose(screened, TASK, how(seed))[1]

    return ask


def listed(record):
    return [region["region_id"] for region in record["regions"]]


def right(record):
    """The ids of the candidates that the references name, and of the label's."""
    (said,), names = record["evaluation"], listed(record)
    numbers = [int(text.removeprefix("Region [").removesuffix("].")) for text in said["references"]]
    return {names[number - 1] for number in numbers}, names[said["label"]]


CASES = {
    "the box itself": ((EXACT, AWAY), {"exact"}, "exact"),
    "half of it": ((AWAY, HALF), {"half"}, "half"),
    "twice its size": ((WIDE, AWAY), {"wide"}, "wide"),
    "several": ((WIDE, HALF, EXACT, AWAY), {"wide", "half", "exact"}, "exact"),
    "one that only nearly fits": ((EXACT, NEARLY), {"exact"}, "exact"),
}  # fmt: skip


@pytest.mark.parametrize(("detections", "expected", "label"), CASES.values(), ids=CASES)
def test_right_is_what_overlaps_by_half(asked, detections, expected, label):
    (record,) = asked(*detections)
    assert record["evaluation"][0]["group"] == "detected"
    assert right(record) == (expected, label)
    assert sorted(listed(record)) == sorted(region.region_id for region in detections)


@pytest.mark.parametrize(
    "detections", [(), (NEARLY,), (AWAY,), (BESIDE, AWAY, *OTHERS)], ids=["none", "near", "1", "10"]
)
def test_the_owners_box_is_added_where_none_is_right(asked, detections):
    (record,) = asked(*detections)
    assert record["evaluation"][0]["group"] == "ground_truth_added"
    assert right(record) == ({"77"}, "77")
    assert sorted(listed(record)) == sorted(["77", *(one.region_id for one in detections)])
    (added,) = [region for region in record["regions"] if region["region_id"] == "77"]
    assert (added["bbox"], added["score"]) == ([0, 0, 10, 8], None)
    assert all(region["mask"] is None for region in record["regions"])  # one would stand out
    assert {region["score"] for region in record["regions"]} <= {0.875, None}


def test_of_equal_overlaps_the_label_is_the_one_listed_first(asked):
    again = detected("again", 0, 0, 10, 8)
    for image_id in range(20):
        (record,) = asked(EXACT, again, AWAY, image_id=str(image_id))
        names = listed(record)
        assert right(record) == ({"exact", "again"}, min(("exact", "again"), key=names.index))


def test_a_record_in_full(asked):
    (record,) = asked(EXACT, AWAY)
    wording = CHOICE.wordings[0]
    request = wording.replace("<candidates>", "[1] <region1> and [2] <region2>")
    request = request.replace("<description>", "the cat")
    label = record["evaluation"][0]["label"]
    assert [message["content"] for message in record["messages"]] == [
        f"<image>\n{request} Answer the question using the template Region [x].",
        f"Region [{label + 1}].",
    ]
    assert record["task"] == TASK
    assert record["evaluation"][0] == {
        "turn": 0,
        "position": 0,
        "item_id": "5/50",
        "group": "detected",
        "references": [f"Region [{label + 1}]."],
        "choices": ["Region [1].", "Region [2]."],
        "label": label,
    }


def test_each_sentence_is_a_question_of_its_own(asked):
    other = replace(SAID, id="5/51", text="the large cat")
    by_model = DetailedCaption("d", "77", "A cat.", (), CaptionProvenance("model", "{}"))
    records = asked(EXACT, AWAY, *OTHERS, items=(SAID, other, by_model))
    assert [record["evaluation"][0]["item_id"] for record in records] == ["5/50", "5/51"]
    assert ['"the cat"' in record["messages"][0]["content"] for record in records] == [True, False]
    assert len({record["provenance"]["prompts"][0] for record in records}) == 1


def test_the_order_hangs_on_seed_image_and_sentence_alone(asked):
    detections = [EXACT, AWAY, *OTHERS]
    (one,) = asked(*detections)
    (turned,) = asked(*detections[::-1])
    assert one == turned
    orders = {
        tuple(listed(record))
        for record in (
            one,
            *asked(*detections, seed=1),
            *asked(*detections, image_id="8"),
            *asked(*detections, items=(replace(SAID, id="5/51"),)),
        )
    }
    assert len(orders) == 4


def test_what_is_added_may_stand_anywhere(asked):
    places = Counter(
        asked(AWAY, BESIDE, OTHERS[0], image_id=str(number))[0]["evaluation"][0]["label"]
        for number in range(400)
    )
    assert set(places) == {0, 1, 2, 3}
    assert min(places.values()) > 60


def test_nothing_is_asked_where_nothing_is_said(make_image):
    assert dialogues(ScreenedImage(make_image(), (MEANT, EXACT)), how()) == []


def test_the_expression_has_the_form_that_was_trained_on(asked):
    expression = Expression("5/50", "77", "THE PERSON ' S HAT")
    (record,) = asked(EXACT, AWAY, items=(expression,))
    assert "the person's hat" in record["messages"][0]["content"]

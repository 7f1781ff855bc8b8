"""Classification: against pycocotools on whole data sets, the normalisation, and odd input."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from schemas.errors import InputFileError
from tests.train.evaluation.metrics.making import make_answer, region, values
from train.evaluation.answers import Answer
from train.evaluation.metrics.classification import PROBABILITY, UNIT, classification

NAMES = ("dog", "hot dog", "cat", "TV")
SIZES = ("mAP", "AP small", "AP medium", "AP large")


def asked(number: int, truth: str, text: str | None, **fields) -> Answer:
    """The answer about a region of 20 by 20 pixels, which overlaps no other."""
    x0 = 30.0 * number
    usual = {"regions": (region(str(number), x0, 0, x0 + 20, 20, area=300),), "choices": NAMES}
    return make_answer(number, references=(truth,), text=text, **(usual | fields))


def whole_evaluation(answers: Sequence[Answer], names: Sequence[str], *, unit: bool):
    """AP over all, small, medium and large by COCOeval, as from files of COCO's own formats."""
    numbers = {name: number for number, name in enumerate(names, start=1)}
    ordered = sorted(answers, key=lambda answer: (int(answer.group), int(answer.item_id)))
    truths: list[dict] = []
    detections: list[dict] = []
    for number, answer in enumerate(ordered, start=1):
        (asked_about,) = answer.regions
        x0, y0, x1, y1 = asked_about.bbox
        box = {"image_id": int(answer.group), "bbox": [x0, y0, x1 - x0, y1 - y0]}
        category, area = numbers[answer.references[0]], asked_about.area
        truths.append(box | {"id": number, "category_id": category, "area": area, "iscrowd": 0})
        if answer.text in numbers:
            score = 1.0 if unit else answer.score
            detections.append(box | {"category_id": numbers[answer.text], "score": score})
    truth = COCO()
    truth.dataset = {
        "info": {},
        "images": [{"id": name} for name in sorted({each["image_id"] for each in truths})],
        "categories": [{"id": number, "name": name} for name, number in numbers.items()],
        "annotations": truths,
    }
    truth.createIndex()
    evaluation = COCOeval(truth, truth.loadRes(detections), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    wanted = zip(SIZES, evaluation.stats[[0, 3, 4, 5]], strict=True)
    return {name: 100 * value for name, value in wanted if value > -1}


def check_against_cocoeval(answers: Sequence[Answer], names: Sequence[str]) -> None:
    figures = classification(answers)
    for note, unit in ((UNIT, True), (PROBABILITY, False)):
        expected = whole_evaluation(answers, names, unit=unit)
        assert values(figures, note) == pytest.approx(expected, abs=1e-9)


def real_answers(samples, seed: int) -> tuple[list[Answer], list[str]]:
    """Answers to real annotations, two thirds of which are right, in an order by chance."""
    path = samples / "coco" / "tinycoco" / "annotations" / "instances_val2017.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    names = {category["id"]: category["name"] for category in content["categories"]}
    chance = random.Random(seed)
    answers = []
    for number, annotation in enumerate(content["annotations"]):
        if annotation["iscrowd"]:
            continue
        name = str(annotation["id"])
        x, y, width, height = annotation["bbox"]
        about = region(name, x, y, x + width, y + height, area=annotation["area"])
        wrong = chance.choice(["person", "car", "a thing", *names.values()])
        truth = names[annotation["category_id"]]
        answers.append(
            make_answer(
                number,
                item_id=name,
                group=str(annotation["image_id"]),
                references=(truth,),
                choices=tuple(names.values()),
                regions=(about,),
                text=truth if chance.random() < 0.67 else wrong,
                score=chance.random(),
            )
        )
    chance.shuffle(answers)
    return answers, list(names.values())


@pytest.mark.parametrize("seed", [0, 1])
def test_real_annotations_give_what_cocoeval_gives(samples, seed):
    answers, names = real_answers(samples, seed)
    assert len(answers) > 100
    check_against_cocoeval(answers, names)
    right = sum(answer.text == answer.references[0] for answer in answers)
    assert values(classification(answers))["accuracy"] == pytest.approx(100 * right / len(answers))


SIDES = st.sampled_from([8.0, 24.0, 32.0, 40.0, 90.0, 96.0, 130.0])
OBJECTS = st.tuples(
    st.integers(1, 3),  # image
    st.integers(0, 12),  # left and upper edges: boxes overlap
    st.integers(0, 12),
    SIDES,
    SIDES,
    st.sampled_from(NAMES[:3]),
    st.sampled_from([*NAMES[:3], "cow"]),
    st.sampled_from([0.25, 0.5, 0.75, 1.0]),
    st.booleans(),  # whether the owner's area is far from the box's
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(OBJECTS, min_size=1, max_size=14).filter(lambda some: any(s[6] in NAMES for s in some))
)
def test_boxes_that_overlap_give_what_cocoeval_gives(objects):
    answers = []
    for number, (image, x, y, width, height, truth, text, score, thin) in enumerate(objects):
        area = width * height / (9 if thin else 1)
        about = region(str(number), x, y, x + width, y + height, area=area)
        answers.append(asked(number, truth, text, group=str(image), regions=(about,), score=score))
    check_against_cocoeval(answers, NAMES)


def test_equal_scores_count_in_the_order_of_ids():
    """A wrong answer lowers the precision of those after it only: 9 comes before 10."""
    answers = [
        asked(9, "cat", "dog"),
        asked(10, "dog", "dog"),
    ]
    assert values(classification(answers), UNIT)["mAP"] == pytest.approx(25)  # dog 50, cat 0
    first = [replace(answers[0], group="11"), replace(answers[1], group="9")]
    assert values(classification(first), UNIT)["mAP"] == pytest.approx(50)  # dog 100, cat 0
    for order in (answers, first):
        assert classification(order) == classification(order[::-1])


def test_scores_go_before_the_order_of_ids():
    answers = [asked(9, "cat", "dog", score=0.2), asked(10, "dog", "dog", score=0.8)]
    figures = classification(answers)
    assert values(figures, UNIT)["mAP"] == pytest.approx(25)
    assert values(figures, PROBABILITY)["mAP"] == pytest.approx(50)


READ = {
    "dog": "dog",
    "Dog.": "dog",
    " hot  DOG .\n": "hot dog",
    "tv": "TV",
    "TV": "TV",
    "dog, brown": "dog",
    "Dog., or a cat": "dog",
    "cat dog": None,
    "a dog": None,
    "dogs": None,
    "dog. It is brown.": None,
    ", dog": None,
    "": None,
}


@pytest.mark.parametrize(("text", "name"), READ.items())
def test_an_answer_is_read_as_a_name_or_is_wrong_and_counted(text, name):
    figures = classification([asked(0, name or "dog", text), asked(1, "cat", "cat")])
    assert values(figures)["accuracy"] == (50 if name is None else 100)
    assert values(figures).get("outside the names") == (1 if name is None else None)


def test_a_name_may_hold_a_comma_and_differ_by_case_only():
    names = ("turkey", "Turkey", "table, low", "TV", "Tv")
    answers = [
        asked(0, "Turkey", "Turkey", choices=names),
        asked(1, "turkey", "TURKEY.", choices=names),
        asked(2, "table, low", "Table, low.", choices=names),
        asked(3, "turkey", "Turkey, stuffed", choices=names),
        asked(4, "TV", "tv", choices=names),
        asked(5, "Tv", "Tv", choices=names),
    ]
    assert values(classification(answers))["accuracy"] == 100


def test_accuracy_by_the_owners_area_or_the_boxs():
    answers = [
        asked(0, "dog", "dog"),
        asked(1, "dog", "cat", regions=(region("1", 0, 0, 200, 200, area=5000),)),
        asked(2, "dog", "dog", regions=(region("2", 300, 0, 500, 200, area=20000),)),
        asked(3, "dog", "cat", regions=(region("3", 600, 0, 800, 200),)),  # 40,000
    ]
    figures = classification(answers)
    by_name = values(figures)
    sizes = ("accuracy small", "accuracy medium", "accuracy large")
    assert [by_name[name] for name in sizes] == [100, 0, 50]
    assert [by_name[name] for name in SIZES[1:]] == pytest.approx([100, 0, 50], abs=1)
    large = [figure for figure in figures if figure.name.endswith("large")]
    assert {figure.count for figure in large} == {2}
    assert all("area of the box for 1 regions" in figure.note for figure in large)


def test_a_size_without_objects_has_no_figure():
    by_name = values(classification([asked(0, "dog", "dog")]))
    assert set(by_name) == {"accuracy", "accuracy small", "mAP", "AP small"}


def test_perfect_answers_are_100_also_for_many_objects_in_an_image():
    answers = [asked(number, "dog", "dog", score=0.5) for number in range(130)]
    assert list(values(classification(answers)).values()) == pytest.approx([100] * 4)


def test_a_label_set_that_is_not_stored_is_that_of_the_references():
    some = [asked(0, "dog", "dog"), asked(1, "cat", "TV"), asked(2, "hot dog", "dog")]
    large = [replace(answer, choices=()) for answer in some]
    stored, derived = classification(some), classification(large)
    outside = derived.pop()
    assert (outside.name, outside.value) == ("outside the names", 1)
    assert "references" in outside.note
    assert derived == stored


def test_one_image_of_two_splits_is_two_images():
    """In one image, each answer would hit the box of the other, which is the same."""
    answers = [asked(0, "dog", "cat"), replace(asked(0, "cat", "dog"), split="test", record="b")]
    assert values(classification(answers), UNIT)["mAP"] == 0


def test_missing_answers_are_wrong_and_counted():
    some = [asked(0, "dog", "dog", score=0.9), asked(1, "dog", None)]
    by_name = values(classification(some))
    assert (by_name["accuracy"], by_name["missing"]) == (50, 1)
    assert by_name["mAP"] == pytest.approx(100 * 51 / 101)  # recall up to 0.5
    none = values(classification([asked(0, "dog", None)]))
    assert none == {"accuracy": 0, "accuracy small": 0, "mAP": 0, "AP small": 0, "missing": 1}


def test_all_wrong_is_0():
    by_name = values(classification([asked(0, "dog", "cat"), asked(1, "cat", "dog")]))
    assert set(by_name.values()) == {0}


REFUSED = {
    "there is no entry to score": [],
    "'world/val/0/task/0' turn 0 position 0 is scored 2 times": [asked(0, "dog", "dog")] * 2,
    "asks about the region of 'world/val/0": [
        asked(0, "dog", "dog"),
        replace(asked(0, "dog", "dog"), turn=1),
    ],
    "asks about region '9', which is not among the 1 regions": [asked(0, "dog", "", item_id="9")],
    "has no reference": [replace(asked(0, "dog", "dog"), references=())],
    "1 of 2 answers have no score": [asked(0, "dog", "dog", score=0.5), asked(1, "dog", "dog")],
}


@pytest.mark.parametrize(("message", "answers"), REFUSED.items(), ids=range(len(REFUSED)))
def test_what_cannot_be_scored_is_refused(message, answers):
    with pytest.raises(InputFileError, match=message):
        classification(answers)

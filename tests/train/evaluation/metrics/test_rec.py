"""Referring expressions: against brute force from the boxes, the parsing, and odd input."""

import random
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
from pycocotools import mask

from schemas.errors import InputFileError
from schemas.item import Expression
from schemas.sample import Region, ScreenedImage, Task
from tests.train.evaluation.metrics.making import built, make_answer, values
from train.evaluation.answers import Answer
from train.evaluation.metrics.rec import chosen_region, rec

TASK = Task.REFERRING_EXPRESSION_COMPREHENSION


def asked(number: int, count: int, right: tuple[int, ...], text: str | None, **fields) -> Answer:
    choices = tuple(f"Region [{k}]." for k in range(1, count + 1))
    references = tuple(f"Region [{k}]." for k in right)
    usual = {"choices": choices, "references": references, "group": "detected"}
    return make_answer(number, text=text, **(usual | fields))


def box_of(chance: random.Random) -> tuple[float, float, float, float]:
    x0, y0 = chance.randrange(8), chance.randrange(4)
    return x0, y0, x0 + chance.randrange(4, 12), y0 + chance.randrange(3, 6)


def iou(box, other) -> float:
    """Intersection over union by pycocotools."""
    both = [np.array([[x0, y0, x1 - x0, y1 - y0]]) for x0, y0, x1, y1 in (box, other)]
    return float(mask.iou(*both, [0])[0, 0])


@pytest.mark.parametrize("seed", range(4))
def test_built_questions_score_as_brute_force_from_the_boxes(make_image, seed):
    """The truth is the owner's box alone: hits are by its overlap with the box that was chosen."""
    chance = random.Random(seed)
    answers, hits, chances, ones, added = [], [], [], [], []
    for image in range(12):
        owner = Region("77", box_of(chance))
        others = [Region(f"d{k}", box_of(chance), score=0.5) for k in range(chance.randrange(1, 8))]
        screened = ScreenedImage(
            make_image(image_id=str(image)), (owner, *others), (Expression("5", "77", "a cat"),)
        )
        (entry,) = built(screened, TASK)
        number = chance.randrange(0, len(entry.regions) + 2)  # 0 and the last are no candidates
        answers.append(replace(entry, text=f"Region [{number}]"))
        shared = [iou(each.bbox, owner.bbox) for each in entry.regions]
        hits.append(1 <= number <= len(shared) and shared[number - 1] >= 0.5)
        chances.append(fmean(each >= 0.5 for each in shared))
        ones.append(1 / len(shared))
        added.append(all(iou(each.bbox, owner.bbox) < 0.5 for each in others))
    assert 0 < sum(added) < len(added)
    by_name = values(rec(answers))
    expected = {
        "accuracy": 100 * fmean(hits),
        "chance": 100 * fmean(chances),
        "1 / candidates": 100 * fmean(ones),
        "ground truth added": 100 * fmean(added),
    }
    assert {name: by_name[name] for name in expected} == pytest.approx(expected)


def test_accuracy_by_group_and_by_number_of_candidates_beside_chance():
    answers = [
        asked(0, 2, (1,), "Region [1]."),
        asked(1, 2, (1, 2), "Region [3]."),
        asked(2, 4, (2, 4), "Region [4]."),
        asked(3, 10, (9,), "Region [9].", group="ground_truth_added"),
    ]
    figures = rec(answers)
    by_key = {(figure.group, figure.name): figure.value for figure in figures}
    assert by_key["", "accuracy"] == 75
    assert by_key["", "chance"] == pytest.approx(100 * (0.5 + 1 + 0.5 + 0.1) / 4)
    assert by_key["", "1 / candidates"] == pytest.approx(100 * (0.5 + 0.5 + 0.25 + 0.1) / 4)
    assert by_key["", "ground truth added"] == 25
    assert by_key["", "number out of range"] == 1
    assert by_key["detected", "accuracy"] == pytest.approx(200 / 3)
    assert by_key["ground_truth_added", "chance"] == 10
    assert by_key["2 candidates", "accuracy"] == 50
    assert by_key["2 candidates", "chance"] == 75
    assert by_key["4 candidates", "1 / candidates"] == 25
    assert by_key["10 candidates", "accuracy"] == 100
    groups = [figure.group for figure in figures if figure.name == "accuracy"]
    assert groups[:2] == ["", "val"]  # published numbers are of splits
    assert groups[4:] == ["2 candidates", "4 candidates", "10 candidates"]


READ = {
    "Region [2].": 2,
    "Region [2]": 2,
    "region [ 02 ] .": 2,
    "I choose Region [2], as Region [2] is red.": 2,
    "Region [1] or Region [2].": None,
    "Region 2": None,
    "[2]": None,
    "Region [-2]": None,
    "Region [2": None,
    "subregion [2]": None,
    f"Region [{'9' * 5000}]": None,
    "No corresponding options found.": None,
    "": None,
}


@pytest.mark.parametrize(("text", "number"), READ.items(), ids=range(len(READ)))
def test_an_answer_chooses_one_region_or_is_a_miss(text, number):
    assert chosen_region(text) == number
    by_name = values(rec([asked(0, 3, (2,), text)]))
    assert by_name["accuracy"] == (100 if number == 2 else 0)
    assert by_name.get("no region chosen") == (1 if number is None else None)


@pytest.mark.parametrize("number", [0, 4, 999_999_999])
def test_a_number_out_of_range_is_a_miss(number):
    by_name = values(rec([asked(0, 3, (1, 2, 3), f"Region [{number}].")]))
    assert (by_name["accuracy"], by_name["number out of range"]) == (0, 1)


def test_missing_answers_are_misses_of_their_own_sort():
    by_name = values(rec([asked(0, 2, (1,), "Region [1]."), asked(1, 2, (1,), None)]))
    assert (by_name["accuracy"], by_name["missing"]) == (50, 1)
    assert not by_name.keys() & {"no region chosen", "number out of range"}


def test_the_order_of_answers_tells_nothing():
    answers = [asked(k, 2 + k % 3, (1,), f"Region [{1 + k % 2}].") for k in range(12)]
    assert rec(answers) == rec(answers[::-1])


REFUSED = {
    "there is no entry to score": [],
    "is scored 2 times": [asked(0, 2, (1,), "Region [1].")] * 2,
    "expected references among its 2 candidates, found Region \\[3\\]": [asked(0, 2, (3,), "")],
    "expected references among its 2 candidates, found none": [asked(0, 2, (), "")],
    "found 'a dog'": [asked(0, 2, (1,), "", choices=("a dog",))],
}


@pytest.mark.parametrize(("message", "answers"), REFUSED.items(), ids=range(len(REFUSED)))
def test_what_cannot_be_scored_is_refused(message, answers):
    with pytest.raises(InputFileError, match=message):
        rec(answers)

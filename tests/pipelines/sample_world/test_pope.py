"""The sample world's POPE: its answers are true of COCO's annotations, and it is drawn as told."""

import json
import re
from collections import Counter, defaultdict
from itertools import permutations

import pytest

SPLITS = ("random", "popular", "adversarial")


@pytest.fixture(scope="module")
def shown(sample_world):
    """The shapes in each picture of val2014, by its name, as COCO's annotations have them."""
    file = json.loads(
        (sample_world / "coco" / "annotations" / "instances_val2014.json").read_bytes()
    )
    names = {category["id"]: category["name"] for category in file["categories"]}
    pictures = {image["id"]: image["file_name"] for image in file["images"]}
    shapes: dict[str, set[str]] = {name: set() for name in pictures.values()}
    for one in file["annotations"]:
        shapes[pictures[one["image_id"]]].add(names[one["category_id"]])
    return shapes


@pytest.fixture(scope="module")
def asked(sample_world):
    """Every question by split: picture, shape and label."""
    return {
        split: [
            (line["image"], re.findall(r"Can an? (.*) be seen", line["text"])[0], line["label"])
            for line in lines(sample_world / "pope" / f"coco_pope_{split}.json")
        ]
        for split in SPLITS
    }


def lines(path):
    return list(map(json.loads, path.read_text(encoding="utf-8").splitlines()))


def test_every_label_is_true(shown, asked):
    for questions in asked.values():
        for picture, shape, label in questions:
            assert (shape in shown[picture]) == (label == "yes")


def test_each_picture_is_asked_about_six_times_half_of_them_with_yes(shown, asked):
    for questions in asked.values():
        labels: dict[str, Counter[str]] = defaultdict(Counter)
        for picture, shape, label in questions:
            labels[picture][label] += 1
            assert [one[1] for one in questions if one[0] == picture].count(shape) == 1
        assert all(counts == {"yes": 3, "no": 3} for counts in labels.values())
        assert labels.keys() == {name for name, shapes in shown.items() if len(shapes) >= 3}
    there = [
        {(picture, shape) for picture, shape, label in questions if label == "yes"}
        for questions in asked.values()
    ]
    assert there[0] == there[1] == there[2]


def test_what_is_not_there_is_drawn_in_three_ways(shown, asked):
    alone = Counter(shape for shapes in shown.values() for shape in shapes)
    pairs = Counter(pair for shapes in shown.values() for pair in permutations(shapes, 2))
    shapes = set(alone)
    for split in ("popular", "adversarial"):
        by_picture: dict[str, dict[str, list[str]]] = {}
        for picture, shape, label in asked[split]:
            by_picture.setdefault(picture, {"yes": [], "no": []})[label].append(shape)
        for picture, by_label in by_picture.items():
            there = by_label["yes"]
            score = {
                shape: alone[shape] if split == "popular" else sum(pairs[shape, o] for o in there)
                for shape in shapes - shown[picture]
            }
            left = [score[shape] for shape in score if shape not in by_label["no"]]
            assert min(score[shape] for shape in by_label["no"]) >= max(left)
    absent = [{one[:2] for one in asked[split] if one[2] == "no"} for split in SPLITS]
    assert absent[0] != absent[1] != absent[2] != absent[0]


def test_it_has_the_form_of_the_real_file(sample_world, samples):
    real = lines(samples / "pope" / "coco_pope_random.json")
    for split in SPLITS:
        drawn = lines(sample_world / "pope" / f"coco_pope_{split}.json")
        assert [line["question_id"] for line in drawn] == list(range(1, len(drawn) + 1))
        for line in drawn:
            assert [(key, type(value)) for key, value in line.items()] == [
                (key, type(value)) for key, value in real[0].items()
            ]
            assert re.sub(r"\d{12}", "", line["image"]) == re.sub(r"\d{12}", "", real[0]["image"])
            assert (sample_world / "coco" / "val2014" / line["image"]).is_file()

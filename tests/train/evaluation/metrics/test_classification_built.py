"""COCO's real annotations from the owner's file through a build, in the three modes, to mAP.

The expected numbers are COCOeval's, from the owner's file and results in COCO's own format.
"""

import json
from dataclasses import replace

import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import regionforge
from tests.train.evaluation.metrics.making import values
from train.evaluation.metrics.classification import PROBABILITY, UNIT, classification
from train.evaluation.questions import read_questions
from train.evaluation.reply import Reply, predictions_of
from train.evaluation.run import join

MODES = ("one_turn_one", "multi_turn_all", "one_turn_all")
STATS = {"mAP": 0, "AP small": 3, "AP medium": 4, "AP large": 5}


@pytest.fixture(scope="module")
def root(samples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("root")
    tiny = samples / "coco" / "tinycoco"
    (folder / "coco").mkdir()
    (folder / "coco" / "annotations").symlink_to(tiny / "annotations")
    (folder / "coco" / "val2017").symlink_to(tiny / "images" / "val2017")
    return folder


@pytest.fixture(scope="module")
def owner(root):
    """The owner's annotations that are asked about, in order of image id and id."""
    content = json.loads((root / "coco" / "annotations" / "instances_val2017.json").read_bytes())
    content["annotations"] = sorted(
        (each for each in content["annotations"] if not each["iscrowd"]),
        key=lambda each: (each["image_id"], each["id"]),
    )
    return content


def given(number: int, truth: int, categories: list[int]) -> tuple[int, float]:
    """The category that is answered for an annotation, and the score; both by its id."""
    wrong = categories[number % len(categories)]
    return (wrong if number % 3 == 0 else truth), (number % 101) / 101


def cocoeval(owner, *, unit: bool) -> dict[str, float]:
    truth = COCO()
    truth.dataset = json.loads(json.dumps(owner))
    truth.createIndex()
    categories = sorted(truth.cats)
    results = []
    for each in owner["annotations"]:
        category, score = given(each["id"], each["category_id"], categories)
        result = {key: each[key] for key in ("image_id", "bbox")} | {"category_id": category}
        results.append(result | {"score": 1.0 if unit else score})
    evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return {name: 100 * evaluation.stats[number] for name, number in STATS.items()}


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_gives_what_cocoeval_gives(mode, root, owner, rows_of, tmp_path):
    recipe = regionforge.load_recipe("eval_coco", mode=mode)
    regionforge.launch(regionforge.make_plan(recipe, root, tmp_path))
    names = {each["id"]: each["name"] for each in owner["categories"]}
    by_id = {str(each["id"]): each for each in owner["annotations"]}
    questions = read_questions(rows_of(tmp_path))
    predictions, scores = [], {}
    for question in questions:
        parts = []
        for entry in question.entries:
            number, truth = int(entry.item_id), by_id[entry.item_id]["category_id"]
            category, scores[entry.item_id] = given(number, truth, sorted(names))
            parts.append(names[category])
        predictions += predictions_of(question.entries, Reply(text=", ".join(parts), score=0.5))
    answers = [
        replace(answer, score=scores[answer.item_id]) for answer in join(questions, predictions)
    ]
    assert len(answers) == len(by_id)
    figures = classification(answers)
    for note, unit in ((UNIT, True), (PROBABILITY, False)):
        assert values(figures, note) == pytest.approx(cocoeval(owner, unit=unit), abs=1e-9)

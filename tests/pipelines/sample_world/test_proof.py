"""The preset `proof`: a world that a tiny model can learn, and the recipes that come with it."""

import json
import math
from collections import Counter

import pytest

from pipelines.recipes import recipe_names
from pipelines.sample_world.album import album
from pipelines.sample_world.look import PROOF
from pipelines.sample_world.scene import World
from pipelines.sample_world.shapes import SHAPES
from pipelines.verify import verify

SIDE = 72  # pixels


@pytest.fixture(scope="module")
def scenes():
    world = World(seed=3, pictures=400, look=PROOF)
    return [shot.scene for shot in album("v3det", world)]


@pytest.fixture(scope="module")
def world(proof_world):
    return proof_world


def test_pictures_are_square_and_hold_three_to_five_things(scenes):
    assert {(scene.width, scene.height) for scene in scenes} == {(SIDE, SIDE)}
    assert set(Counter(len(scene.things) for scene in scenes)) == {3, 4, 5}


def test_things_have_radii_of_9_to_14_pixels(scenes):
    radii = []
    for thing in (thing for scene in scenes for thing in scene.things):
        extent = max(abs(SHAPES[thing.shape][0]).max() for _ in "x")
        unit = sum(_area(part) for part in SHAPES[thing.shape])
        radii.append(math.sqrt(thing.area / unit))
        assert extent <= 1.001
    assert 8.9 < min(radii) < 9.3
    assert 13.6 < max(radii) < 14.1


def _area(part):
    pairs = zip(part, [*part[1:], part[0]], strict=True)
    return abs(sum(x * y2 - x2 * y for (x, y), (x2, y2) in pairs)) / 2


def test_boxes_overlap_by_a_fifth_of_the_smaller_at_most(scenes):
    worst = 0.0
    for scene in scenes:
        boxes = [thing.box for thing in scene.things]
        for k, (x0, y0, x1, y1) in enumerate(boxes):
            assert 0 <= x0 < x1 <= SIDE
            assert 0 <= y0 < y1 <= SIDE
            for u0, v0, u1, v1 in boxes[:k]:
                across, down = min(x1, u1) - max(x0, u0), min(y1, v1) - max(y0, v0)
                smaller = min((x1 - x0) * (y1 - y0), (u1 - u0) * (v1 - v0))
                worst = max(worst, max(across, 0) * max(down, 0) / smaller)
    assert 0.15 < worst <= 0.2


def test_all_64_kinds_are_there_about_equally_often(scenes):
    kinds = Counter((thing.colour, thing.shape) for scene in scenes for thing in scene.things)
    assert len(kinds) == 64
    assert min(kinds.values()) > 8
    assert max(kinds.values()) < 50


def test_another_seed_gives_other_pictures(scenes):
    others = album("v3det", World(seed=4, pictures=400, look=PROOF))
    boxes = {thing.box for scene in scenes for thing in scene.things}
    assert not any(thing.box in boxes for shot in others for thing in shot.scene.things)


def test_v3det_names_64_categories_once_and_has_every_file(world):
    for split, pictures in (("train", 300), ("val", 100)):
        file = json.loads((world / f"v3det/annotations/v3det_2023_v1_{split}.json").read_bytes())
        names = [category["name"] for category in file["categories"]]
        assert len(names) == len(set(names)) == 64
        assert len(file["images"]) == pictures
        assert all((world / "v3det" / image["file_name"]).is_file() for image in file["images"])


def test_yes_and_no_are_equally_often_right(world):
    records = json.loads((world / "llava" / "llava_instruct_150k.json").read_bytes())
    answers = [turn["value"] for record in records for turn in record["conversations"][1::2]]
    yes, no = (sum(answer.startswith(word) for answer in answers) for word in ("Yes, ", "No, "))
    assert yes + no > 300 + 3 * 300
    assert abs(yes - no) < 60
    firsts = {record["conversations"][0]["value"] for record in records}
    assert sum(first.startswith("<image>\nIs there ") for first in firsts) == 8


def lines(path):
    return list(map(json.loads, path.read_text(encoding="utf-8").splitlines()))


def test_no_evaluation_takes_a_picture_of_training_away(world):
    """The guard's lists beside COCO's val2017 and RefCOCOg's have no further pictures."""
    file = json.loads((world / "coco/annotations/instances_val2017.json").read_bytes())
    val2017 = {image["id"] for image in file["images"]}
    for split in ("random", "popular", "adversarial"):
        asked = {
            int(line["image"][-16:-4]) for line in lines(world / f"pope/coco_pope_{split}.json")
        }
        assert len(asked) > 60
        assert asked <= val2017
    for name in ("VQA", "Caption-Simple"):
        records = json.loads((world / f"gar_bench/GAR-Bench-{name}.json").read_bytes())
        assert {int(record["image_path"][-16:-4]) for record in records} <= val2017
    images = json.loads((world / "visual_genome/image_data.json").read_bytes())
    assert {image["coco_id"] for image in images} == {None}


def test_pope_asks_in_the_words_of_the_conversations_half_for_yes(world):
    records = json.loads((world / "llava" / "llava_instruct_150k.json").read_bytes())
    told = {turn["value"] for record in records for turn in record["conversations"][::2]}
    for split in ("random", "popular", "adversarial"):
        questions = lines(world / f"pope/coco_pope_{split}.json")
        assert {line["text"] for line in questions} <= told
        labels = Counter(line["label"] for line in questions)
        assert labels["yes"] == labels["no"] == len(questions) / 2


def test_a_sure_detector_has_seen_each_thing_once_and_nothing_else(world):
    detections = json.loads((world / "refcocog" / "detections.json").read_bytes())
    file = json.loads((world / "coco/annotations/instances_train2014.json").read_bytes())
    things = file["annotations"]
    assert len(detections) == len(things) > 600
    assert min(item["score"] for item in detections) > 0.4
    for thing in things:
        mine = thing["image_id"], thing["category_id"]
        same = [item for item in detections if (item["image_id"], item["category_id"]) == mine]
        assert max(_overlap(item["bbox"], thing["bbox"]) for item in same) > 0.7


def _overlap(first, second):
    """Return the intersection over union of two boxes, xywh."""
    (x, y, width, height), (x2, y2, width2, height2) = first, second
    across = max(0, min(x + width, x2 + width2) - max(x, x2))
    down = max(0, min(y + height, y2 + height2) - max(y, y2))
    return across * down / (width * height + width2 * height2 - across * down)


EVALUATIONS = {  # with the flags that the world needs
    **dict.fromkeys(("eval_captions", "eval_dlc", "eval_gar", "eval_pope", "eval_vcr"), ()),
    **dict.fromkeys(
        ("eval_coco", "eval_coco_dilated", "eval_coco_eroded"), ("--label-set", "Shapes-15")
    ),
    "eval_lvis": ("--label-set", "Figures-15"),
    "eval_rec": (
        "--detection-names",
        "coco",
        "--detections",
        "refcocog={}/refcocog/detections.json",
    ),
    "eval_v3det": (),
}


@pytest.mark.parametrize("name", EVALUATIONS)
def test_every_evaluation_builds_on_it(world, command_line, output_of, tmp_path, name):
    flags = [word.format(world) for word in EVALUATIONS[name]]
    where = ("--data-root", world, "--output", tmp_path)
    done = command_line("build", "--recipe", name, *where, *flags, "--images", "reference")
    assert done.returncode == 0, done.stderr
    assert "splits:" not in done.stderr
    entries = [entry for row in output_of(tmp_path).rows() for entry in row["evaluation"]]
    assert len(entries) >= 100
    assert verify(str(tmp_path), image_root=str(world)).problems == []


def test_those_are_all_evaluations():
    assert EVALUATIONS.keys() == {name for name in recipe_names() if name.startswith("eval_")}


def test_nothing_names_a_shape_that_is_never_drawn(world):
    never = set(SHAPES) - set(PROOF.shapes)
    for path in (world / "llava" / "llava_instruct_150k.json", world / "vcr" / "train.jsonl"):
        text = path.read_text(encoding="utf-8")
        assert not [shape for shape in never if f" {shape}" in text]


def test_the_recipes_build_on_it(world, command_line, output_of, tmp_path):
    for recipe, split in (("proof", "train"), ("eval_v3det", "val")):
        output = tmp_path / recipe
        done = command_line("build", "--recipe", recipe, "--data-root", world, "--output", output)
        assert done.returncode == 0, done.stderr
        file = json.loads((world / f"v3det/annotations/v3det_2023_v1_{split}.json").read_bytes())
        rows = [row for row in output_of(output).rows() if row["source"] == "v3det"]
        answers = [
            message["content"]
            for row in rows
            for message in row["messages"]
            if message["role"] == "assistant"
        ]
        names = {category["id"]: category["name"] for category in file["categories"]}
        assert Counter(answers) == Counter(
            names[each["category_id"]] for each in file["annotations"]
        )

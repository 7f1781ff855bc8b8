"""The preset `proof`: a world that a tiny model can learn, and the recipes that come with it."""

import json
import math
from collections import Counter

import pytest

from pipelines.sample_world import write_world
from pipelines.sample_world.album import album
from pipelines.sample_world.look import PROOF
from pipelines.sample_world.scene import World
from pipelines.sample_world.shapes import SHAPES

SIDE = 72  # pixels


@pytest.fixture(scope="module")
def scenes():
    world = World(seed=3, pictures=400, look=PROOF)
    return [shot.scene for shot in album("v3det", world)]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp("proof")
    write_world(root, "small", preset="proof")
    return root


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
    assert yes + no == 300
    assert 120 < yes < 180


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

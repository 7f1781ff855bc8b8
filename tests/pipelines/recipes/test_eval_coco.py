"""`eval_coco`, with masks as annotated, dilated and eroded, beside a second reader.

It reads COCO's files with `json` and pycocotools, and worsens masks with Pillow's filters.
"""

import contextlib
import io
from collections import Counter

import numpy as np
import pytest
from datasets import load_dataset
from PIL import Image, ImageFilter
from pycocotools import mask as rle
from pycocotools.coco import COCO

from pipelines.plan import make_plan
from pipelines.recipes.load import load_recipe, make_recipe
from pipelines.runner.launch import LaunchOptions, launch
from pipelines.verify import verify

PIXELS = 0.01
RECIPES = {"eval_coco": None, "eval_coco_dilated": "dilated", "eval_coco_eroded": "eroded"}
LABEL_SETS = {"sample_world": "Shapes-15", "tinycoco": "COCO-80"}


@pytest.fixture(scope="module")
def build(tmp_path_factory, output_of):
    """Builds a recipe of ours from a data root."""

    def run(name, root, label_set, launch_options=None):
        stated = load_recipe(name)
        stated["sources"][0]["label_set"] = label_set
        folder = tmp_path_factory.mktemp("output")
        launch(
            make_plan(make_recipe(stated, name), str(root), str(folder)),
            launch_options or LaunchOptions(),
        )
        return output_of(folder)

    return run


@pytest.fixture(scope="module", params=[(root, name) for root in LABEL_SETS for name in RECIPES])
def case(request, build):
    """The owner's file, the root's name, the recipe's name, and what was built."""
    root_name, name = request.param
    root = request.getfixturevalue(root_name)
    with contextlib.redirect_stdout(io.StringIO()):
        owner = COCO(str(root / "coco" / "annotations" / "instances_val2017.json"))
    return owner, root_name, name, build(name, root, LABEL_SETS[root_name])


def built(output, owner):
    """Every record with its one region and the owner's annotation."""
    for row in output.rows():
        (region,) = row["regions"]
        yield row, region, owner.anns[int(region["region_id"])]


def test_each_single_object_is_a_record_and_crowds_are_rejected(case):
    owner, _, _, output = case
    single = [number for number, annotation in owner.anns.items() if not annotation["iscrowd"]]
    crowds = [number for number, annotation in owner.anns.items() if annotation["iscrowd"]]
    asked = [int(region["region_id"]) for _, region, _ in built(output, owner)]
    assert sorted(asked) == sorted(single)
    assert crowds
    assert output.ledger()
    rejected = [item for item in output.rejected() if item[0] == "annotation"]
    assert rejected == sorted(("annotation", str(number), "crowd") for number in crowds)


def test_records_tell_what_they_are_scored_by(case):
    owner, root_name, name, output = case
    ordered = [owner.cats[number]["name"] for number in sorted(owner.cats)]
    assert len(ordered) == {"tinycoco": 80, "sample_world": 15}[root_name]
    wordings: Counter[str] = Counter()
    for row, region, annotation in built(output, owner):
        category = owner.cats[annotation["category_id"]]["name"]
        question, answer = (message["content"] for message in row["messages"])
        assert question.startswith("<image>\n")
        assert question.count("<region1>") == 1
        assert question.endswith(
            f" Answer the question using {LABEL_SETS[root_name]} category names."
        )
        assert answer == region["category"] == category
        assert row["evaluation"][0] == {
            "turn": 0,
            "position": 0,
            "item_id": str(annotation["id"]),
            "group": str(annotation["image_id"]),
            "references": [category],
            "choices": ordered,
            "label": ordered.index(category),
        }
        assert row["split"] == "val"
        assert row["provenance"]["recipe"] == name
        wordings[question] += 1
    assert len(wordings) == 1


def test_boxes_are_the_annotated_ones(case):
    owner, _, _, output = case
    for row, region, annotation in built(output, owner):
        x, y, width, height = annotation["bbox"]
        assert region["area"] == np.float32(annotation["area"])  # also of worse masks
        right, bottom = min(x + width, row["width"]), min(y + height, row["height"])
        assert region["bbox"] == pytest.approx((x, y, right, bottom), abs=PIXELS, rel=0)


def test_masks_are_as_annotated_or_worse(case):
    owner, _, name, output = case
    changed = 0
    for _, region, annotation in built(output, owner):
        expected = owner.annToMask(annotation).astype(bool)
        if not expected.any():
            assert region["mask"] is None
            continue
        counts = region["mask"]["counts"].encode()
        mask = rle.decode({"size": region["mask"]["size"], "counts": counts}).astype(bool)
        assert np.array_equal(mask, worse(expected, RECIPES[name]))
        changed += not np.array_equal(mask, expected)
        if RECIPES[name] == "dilated":
            assert not (expected & ~mask).any()
        if RECIPES[name] == "eroded":
            assert not (mask & ~expected).any()
    assert bool(changed) == (name != "eval_coco")


def worse(pixels, worsening):
    """Return the mask as Pillow's filters worsen it; what is beyond the edge repeats the edge.

    Only the mask and what the filters reach around it are filtered: all else stays empty.
    """
    if worsening is None:
        return pixels
    radius = round((5 * max(pixels.shape) / 336 - 1) / 2)
    ends = [(axis.min(), axis.max() + 1) for axis in np.nonzero(pixels)]
    window = tuple(slice(max(0, first - 3 * radius), last + 3 * radius) for first, last in ends)
    image, mask = Image.fromarray(pixels[window].astype(np.uint8)), np.zeros_like(pixels)
    if worsening == "dilated":
        mask[window] = np.asarray(image.filter(ImageFilter.MaxFilter(2 * radius + 1)))
        return mask
    while not (left := np.asarray(image.filter(ImageFilter.MinFilter(2 * radius + 1)))).any():
        radius -= 1
    mask[window] = left
    return mask


def test_the_output_is_sound_and_opens(case, tmp_path):
    _, _, name, output = case
    assert verify(str(output.folder)).problems == []
    opened = load_dataset(str(output.folder), name, cache_dir=str(tmp_path))
    assert opened["val"].num_rows == len(output.rows())
    assert opened["val"][0]["evaluation"][0]["references"]


def test_parts_change_nothing(tinycoco, build, in_parts):
    one, parts = (
        build("eval_coco_eroded", tinycoco, None, options) for options in (None, in_parts)
    )
    assert one.digests() == parts.digests()


def test_another_seed_asks_the_same(tinycoco, build, tmp_path, output_of):
    recipe = make_recipe({**load_recipe("eval_coco"), "seed": 5}, "eval_coco")
    launch(make_plan(recipe, str(tinycoco), str(tmp_path)), LaunchOptions())
    outputs = build("eval_coco", tinycoco, None), output_of(tmp_path)
    one, other = (
        {row["id"]: (row["messages"], row["evaluation"]) for row in output.rows()}
        for output in outputs
    )
    assert one == other

"""Annotations of a user's own file as labelling tools write them: read, and counted as repairs.

Each picture has one region, a rectangle of 20 x 10 pixels at (4, 6), written in another form.
"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as rle

BOX = [4.0, 6.0, 24.0, 16.0]
CORNERS = [4, 6, 24, 6, 24, 16, 4, 16]
POINTS = [[4, 6], [24, 6], [24, 16], [4, 16]]
RUNS = [4 * 32 + 6, *[10, 22] * 19, 10, 24 * 32 - 32 + 16]
WHOLE = {"size": [32, 48], "counts": [*RUNS[:-1], 48 * 32 - sum(RUNS[:-1])]}
PACKED = rle.frPyObjects(WHOLE, 32, 48)["counts"]
LEFT = [4, 6, 14, 6, 14, 16, 4, 16]
RIGHT = [14, 6, 24, 6, 24, 16, 14, 16]

# Name: segmentation, repair.
READ = {
    "as COCO has it": ([CORNERS], None),
    "flat": (CORNERS, "mask_reread"),
    "points": (POINTS, "mask_reread"),
    "lists of points": ([POINTS], "mask_reread"),
    "points with names": ([{"x": x, "y": y} for x, y in POINTS], "mask_reread"),
    "one list too many": ([[CORNERS]], "mask_reread"),
    "numbers as text": ([[str(number) for number in CORNERS]], "mask_reread"),
    "JSON within text": (json.dumps([CORNERS]), "mask_reread"),
    "run lengths in a list": ([WHOLE], "mask_reread"),
    "several run lengths": (
        [{"size": [32, 48], "counts": rle.frPyObjects([half], 32, 48)[0]["counts"].decode()}
         for half in (LEFT, RIGHT)],
        "mask_reread",
    ),
    "bytes as text": ({"size": [32, 48], "counts": str(PACKED)}, "mask_reread"),
    "sides as text": ({"size": ["32", 48.0], "counts": PACKED.decode()}, "mask_reread"),
    "an empty part": ([[], CORNERS], None),
    "a stray point": ([CORNERS, [30, 30]], "mask_stray_parts"),
    "a stray line": ([CORNERS, [1, 1, 2, 2]], "mask_stray_parts"),
}  # fmt: skip
NONE = {
    "an empty inner list": ([[]], None),
    "an empty object": ({}, None),
    "an empty text": ("", None),
    "points alone": ([[30, 30], [31, 31]], "mask_malformed"),
    "a line alone": ([[1, 1, 2, 2]], "mask_malformed"),
    "a name": ("box", "mask_malformed"),
    "a number": (5, "mask_malformed"),
    "a truth": ([True, False], "mask_malformed"),
    "run lengths without a size": ([{"counts": [9]}], "mask_malformed"),
    "an odd number": ([[4, 6, 24, 6, 24, 16, 4]], "mask_malformed"),
}
MASKS = READ | NONE


@pytest.fixture(scope="module")
def masks(coco_file, run_build):
    """A build of a picture for each form of a mask, in order."""
    owner = coco_file()
    for number, (segmentation, _) in enumerate(MASKS.values(), start=1):
        owner.picture(number)
        owner.region(number, number, segmentation=segmentation)
    return run_build(owner.save())


@pytest.mark.parametrize("name", MASKS)
def test_a_mask_in_another_form_is_read_or_leaves_its_box(masks, name):
    region = masks.regions()[str(list(MASKS).index(name) + 1)]
    assert region["bbox"] == BOX
    if name in NONE:
        assert region["mask"] is None
        return
    pixels = np.zeros((32, 48), dtype=bool)
    pixels[6:16, 4:24] = True
    size, counts = region["mask"]["size"], region["mask"]["counts"]
    assert np.array_equal(rle.decode({"size": size, "counts": counts.encode()}), pixels)


def test_masks_that_needed_another_reading_are_counted(masks):
    repairs = [repair for _, repair in MASKS.values() if repair]
    expected = {("annotation", repair): repairs.count(repair) for repair in set(repairs)}
    assert masks.repaired() == expected
    assert masks.rejected() == []


@pytest.mark.parametrize("segmentation", [[CORNERS], CORNERS, POINTS, [CORNERS, [40, 30]], WHOLE])
@pytest.mark.parametrize("absent", ["key", None, []])
def test_an_object_without_a_box_has_the_bounds_of_its_mask(
    coco_file, run_build, segmentation, absent
):
    owner = coco_file()
    owner.picture(1)
    item = owner.region(11, 1, segmentation=segmentation, bbox=absent)
    if absent == "key":
        del item["bbox"]
    output = run_build(owner.save())
    region = output.regions()["11"]
    assert region["bbox"] == BOX
    assert region["mask"] is not None
    assert output.repaired()["annotation", "box_from_mask"] == 1


def test_an_object_of_keypoints_alone_is_told_as_that(coco_file, run_build, capsys):
    owner = coco_file().good()
    item = owner.region(13, 1, keypoints=[20, 20, 2, 30, 40, 2], segmentation=[])
    del item["bbox"]
    output = run_build(owner.save())
    assert output.rejected() == [("annotation", "13", "malformed")]
    (line,) = (output.folder / "_rejected" / "coco.jsonl").read_text("utf-8").splitlines()
    assert "no `bbox`, and no mask" in json.loads(line)["detail"]
    assert "keypoints" in json.loads(line)["detail"]


# Values of keys of the annotations 11 and 12 of a good file, which read as the usual ones.
SAME: dict[str, dict[str, Callable[[Any], object]]] = {
    "ids as floats": {"id": float, "image_id": float, "category_id": float},
    "ids as text": {"id": str, "image_id": str, "category_id": str},
    "box as text": {"bbox": lambda box: [str(number) for number in box]},
    "box as JSON within text": {"bbox": json.dumps},
    "iscrowd as text": {"iscrowd": str},
    "iscrowd null": {"iscrowd": lambda _: None},
    "iscrowd 0.0": {"iscrowd": float},
    "iscrowd false": {"iscrowd": bool},
    "iscrowd 'false'": {"iscrowd": lambda _: "false"},
}


@pytest.mark.parametrize("name", SAME)
def test_values_in_another_form_build_the_same(coco_file, run_build, name):
    usual = run_build(coco_file().good().save())
    owner = coco_file().good()
    for item in owner.data["annotations"]:
        item |= {key: form(item[key]) for key, form in SAME[name].items()}
    output = run_build(owner.save())
    assert output.digests() == usual.digests()
    assert (output.rejected(), output.repaired()) == ([], {})


def test_a_crowd_as_text_is_a_crowd(coco_file, run_build):
    owner = coco_file().good()
    owner.region(13, 1, iscrowd="1")
    owner.region(14, 1, iscrowd=1.0)
    owner.region(15, 1, iscrowd="maybe")
    assert run_build(owner.save()).rejected() == [
        ("annotation", "13", "crowd"),
        ("annotation", "14", "crowd"),
        ("annotation", "15", "malformed"),
    ]

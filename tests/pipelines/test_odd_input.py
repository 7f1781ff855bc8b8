"""Odd items in an owner's file that are usable all the same: kept, and set right where need be."""

import json
import math

GOOD = {"11", "12", "21", "22", "31", "32"}
FILLED = 48 * 32  # pixels of a picture


def test_ids_may_be_text(coco_file, run_build):
    owner = coco_file()
    owner.picture(1, id="one")
    owner.region(11, 1, id="one/a", image_id="one", category_id="cat")
    owner.data["categories"] = [{"id": "cat", "name": "cat"}]
    output = run_build(owner.save())
    assert output.regions()["one/a"]["category"] == "cat"
    assert output.rejected() == []


def test_a_box_that_reaches_out_is_clipped_and_counted(coco_file, run_build):
    owner = coco_file().good()
    owner.region(13, 1, bbox=[-5.5, 30, 500, 9.5], segmentation=[])
    owner.region(14, 1, bbox=[0, 0, 48, 32], segmentation=[])
    output = run_build(owner.save())
    assert output.regions()["13"]["bbox"] == [0, 30, 48, 32]
    assert output.repaired() == {("annotation", "box_clipped"): 1}
    assert output.rejected() == []


def test_a_mask_without_a_pixel_leaves_the_box(coco_file, run_build):
    owner = coco_file().good()
    owner.region(13, 1, segmentation=[[1, 1, 1, 1, 1, 1]])
    owner.region(14, 1, segmentation={"counts": [FILLED], "size": [32, 48]})
    output = run_build(owner.save())
    assert [output.regions()[name]["mask"] for name in ("13", "14")] == [None, None]
    assert output.repaired() == {("annotation", "mask_empty"): 2}


def test_a_missing_or_empty_segmentation_leaves_no_mask(coco_file, run_build):
    owner = coco_file().good()
    del owner.region(13, 1)["segmentation"]
    owner.region(14, 1, segmentation=[])
    owner.region(15, 1, segmentation=None)
    output = run_build(owner.save())
    assert [output.regions()[name]["mask"] for name in ("13", "14", "15")] == [None] * 3
    assert (output.rejected(), output.repaired()) == ([], {})


def test_words_for_no_number_survive_within_names(coco_file, run_build):
    name = 'a "NaN", -Infinity \\ and NaN'
    owner = coco_file().good()
    owner.data["categories"][1]["name"] = name
    owner.region(13, 1, bbox=[math.nan, 1, 2, 3])
    output = run_build(owner.save())
    assert "NaN" in owner.file.read_text(encoding="utf-8").replace(json.dumps(name), "")
    assert output.regions()["11"]["category"] == name
    assert output.rejected() == [("annotation", "13", "box_not_finite")]


def test_an_image_without_any_usable_region_is_named(coco_file, run_build):
    owner = coco_file().good()
    owner.picture(4)
    owner.picture(5)
    owner.region(51, 5, iscrowd=1)
    output = run_build(owner.save())
    assert output.rejected() == [
        ("annotation", "51", "crowd"),
        ("image", "4", "no_regions"),
        ("image", "5", "no_regions"),
    ]
    assert output.regions().keys() == GOOD

"""Whole runs whose requests carry the whole picture, and each region in numbers."""

from collections import defaultdict

import msgspec
import numpy as np
import pytest

from schemas.mask import RunLengths, from_run_lengths

GIVEN = {"views": "region", "global_caption": False, "class_name": False}
SQUARE = [[90, 60, 130, 60, 130, 100, 90, 100]]


def pictures(owner, *numbers):
    """Pictures with two regions each: a box, and a box with a mask."""
    for number in numbers:
        owner.picture(number, (160, 120))
        owner.region(number * 10 + 1, number, bbox=[10, 20, 40, 30])
        owner.region(number * 10 + 2, number, bbox=[90, 60, 40, 40], segmentation=SQUARE)
    return owner.save()


def asked(server):
    """The lines about regions, by image."""
    images = defaultdict(list)
    for line in server.log():
        if "/region/" in line["id"]:
            images[line["id"].split("/")[2]].append(line)
    return images


def mask_of(region, height, width):
    """The mask of a sent region."""
    return from_run_lengths(msgspec.convert(region["mask"], RunLengths), height, width)


def test_a_request_carries_the_whole_picture_and_its_region(coco_file, serve, recap):
    server = serve(takes_regions=True)
    captioned = recap(pictures(coco_file(), 1, 2), server, captioning=GIVEN)
    assert len(captioned.captions()) == 4
    images = asked(server)
    assert len(images) == 2
    for lines in images.values():
        assert len({line["pictures"][0] for line in lines}) == 1
        regions = {line["id"].split("/")[4][-1]: line["parameters"]["regions"] for line in lines}
        assert regions["1"][0]["bbox"] == [10, 20, 50, 50]
        assert regions["2"][0]["bbox"] == [90, 60, 130, 100]
        assert set(map(len, regions.values())) == {1}
        mask = mask_of(regions["2"][0], 120, 160)
        assert mask.box() == pytest.approx((90, 60, 130, 100), abs=1)
        for line in lines:
            assert len(line["pictures"]) == 1
            assert line["prompt"].count("region1") == 1
            assert "<" not in line["prompt"]


def test_a_region_is_in_pixels_of_the_picture_that_is_sent(coco_file, serve, recap):
    server = serve(takes_regions=True)
    small = {**GIVEN, "max_pixels": 80 * 60}
    recap(pictures(coco_file(), 1), server, captioning=small)
    (lines,) = asked(server).values()
    given = {line["id"].split("/")[4]: line["parameters"]["regions"][0] for line in lines}
    assert given["11"]["bbox"] == [5, 10, 25, 25]
    mask = mask_of(given["12"], 60, 80)
    rows, columns = np.nonzero(mask.pixels())
    assert columns.min() == pytest.approx(45, abs=1)
    assert rows.max() + 1 == pytest.approx(50, abs=1)


def test_a_second_run_asks_nothing_and_another_view_all(coco_file, serve, recap, tmp_path):
    owner = pictures(coco_file(), 1)
    server = serve(takes_regions=True)
    recap(owner, server, captioning=GIVEN)
    server.forget()
    recap(owner, server, captioning=GIVEN)
    assert not server.log()
    recap(owner, server, captioning={**GIVEN, "views": "whole"}, output=tmp_path / "other")
    assert len(asked(server)) == 1


def test_the_caption_of_the_picture_is_asked_without_a_region(coco_file, serve, recap):
    server = serve(takes_regions=True)
    recap(pictures(coco_file(), 1), server, captioning={**GIVEN, "global_caption": True})
    (whole,) = [line for line in server.log() if "/image/" in line["id"]]
    assert "regions" not in whole["parameters"]
    (lines,) = asked(server).values()
    for line in lines:
        assert "This is what the whole picture shows." in line["prompt"]

"""Masks: every form agrees with pycocotools, and what could lead it astray is refused before."""

import json
import math
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image, ImageOps
from PIL.ExifTags import Base
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from schemas.limits import MAX_MASK_PIXELS
from schemas.mask import (
    Mask,
    RunLengths,
    decode_counts,
    from_pixels,
    from_polygons,
    from_run_lengths,
    parse_segmentation,
)
from schemas.rejection import Reason, Rejected

HEIGHT, WIDTH = 20, 30
BLANK = Mask(10, 10, "T3")

IMAGES = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=16))
CORNERS = st.tuples(st.floats(-5, WIDTH + 5), st.floats(-5, HEIGHT + 5))
POLYGONS = st.lists(CORNERS, min_size=3, max_size=8).map(lambda corners: [*sum(corners, ())])


def second_opinion(segmentation) -> np.ndarray:
    """The pixels that pycocotools' own reader finds in an annotation."""
    coco = COCO()
    coco.imgs = {1: {"height": HEIGHT, "width": WIDTH}}
    return np.asarray(coco.annToMask({"image_id": 1, "segmentation": segmentation}), bool)


def read(segmentation, height: int = HEIGHT, width: int = WIDTH) -> Mask:
    mask = parse_segmentation(json.dumps(segmentation).encode(), height, width)
    assert mask is not None
    return mask


def runs_of(pixels: np.ndarray) -> list[int]:
    """The run lengths of an image, by walking down its columns."""
    runs, last = [0], False
    for pixel in pixels.T.reshape(-1):
        if bool(pixel) is not last:
            runs.append(0)
            last = bool(pixel)
        runs[-1] += 1
    return runs


@pytest.mark.parametrize(
    "polygons",
    [
        [[2.0, 2.0, 12.5, 3.25, 7.0, 15.75]],
        [[2, 2, 12, 2, 12, 9, 2, 9]],
        [[1.0, 1.0, 8.0, 1.0, 8.0, 8.0], [20.0, 10.0, 28.0, 10.0, 28.0, 18.0]],
        [[2.0, 2.0, 14.0, 2.0, 14.0, 14.0, 2.0, 14.0], [8.0, 8.0, 25.0, 8.0, 20.0, 19.0]],
        [[1, 1, 9, 1, 9, 9, 1, 9], [2, 2, 4, 2, 4, 4], [3, 12, 5, 12, 5, 16], [1, 1, 9, 1, 9, 9]],
        [[-4.0, -4.0, 40.0, 5.0, 12.0, 33.0]],
        [[5.1, 5.1, 5.2, 5.1, 5.2, 5.2]],
        [[2.0, 2.0, 20.0, 18.0, 20.0, 2.0, 2.0, 18.0]],
    ],
    ids=["one", "whole", "apart", "overlapping", "many", "beyond", "tiny", "crossing"],
)
def test_polygons_agree_with_pycocotools(polygons):
    np.testing.assert_array_equal(read(polygons).pixels(), second_opinion(polygons))


@given(st.lists(POLYGONS, min_size=1, max_size=3))
def test_any_polygons_agree_with_pycocotools(polygons):
    mask = from_polygons(polygons, HEIGHT, WIDTH)
    expected = second_opinion(polygons)
    np.testing.assert_array_equal(mask.pixels(), expected)
    assert mask == from_pixels(expected)
    assert (mask.area(), mask.height, mask.width) == (expected.sum(), HEIGHT, WIDTH)


@pytest.mark.parametrize(
    "counts",
    [[600], [0, 600], [100, 50, 450], [0, 1, 599], [599, 1], [0, 30, 0, 30, 500, 40], [7, 0, 593]],
)
def test_run_lengths_as_a_list_agree_with_pycocotools(counts):
    segmentation = {"size": [HEIGHT, WIDTH], "counts": counts}
    np.testing.assert_array_equal(read(segmentation).pixels(), second_opinion(segmentation))


@given(arrays(bool, (HEIGHT, WIDTH)))
def test_run_lengths_as_a_string_agree_with_pycocotools(pixels):
    counts = coco_mask.encode(np.asfortranarray(pixels, np.uint8))["counts"].decode()
    segmentation = {"size": [HEIGHT, WIDTH], "counts": counts}
    np.testing.assert_array_equal(read(segmentation).pixels(), second_opinion(segmentation))
    np.testing.assert_array_equal(second_opinion(segmentation), pixels)


@given(IMAGES)
def test_every_form_of_a_mask_gives_the_same_record(pixels):
    height, width = pixels.shape
    runs = runs_of(pixels)
    expected = from_pixels(pixels)
    np.testing.assert_array_equal(expected.pixels(), pixels)
    assert decode_counts(expected.counts) == runs
    for counts in (runs, expected.counts, [*runs, 0, 0], [runs[0], 0, 0, *runs[1:]]):
        assert read({"size": [height, width], "counts": counts}, height, width) == expected


@given(st.lists(st.integers(0, 2**22), min_size=1, max_size=12))
def test_any_runs_are_decoded_as_pycocotools_encodes_them(runs):
    encoded = coco_mask.frPyObjects({"size": [1, sum(runs)], "counts": runs}, 1, sum(runs))
    assert decode_counts(encoded["counts"].decode()) == runs


@pytest.mark.parametrize("before", ["", 40 * "1"])  # long strings are decoded at once
@pytest.mark.parametrize(
    "counts",
    ["/", "p", "1 1", "1\n", "é", "\x00", "😀", "o", "1o", "P", "oooooooo1", "ooooooooooooooooooo"],
)
def test_strings_that_are_no_run_lengths(before, counts):
    with pytest.raises(Rejected) as refused:
        decode_counts(before + counts)
    assert refused.value.reason is Reason.MASK_MALFORMED


@given(st.text(st.characters(min_codepoint=46, max_codepoint=114)) | st.text())
def test_no_string_leads_the_reader_astray(counts):
    with suppress(Rejected):
        mask = from_run_lengths(RunLengths((10, 10), counts), 10, 10)
        assert sum(decode_counts(mask.counts)) == 100
        assert 0 <= mask.area() <= 100


@pytest.mark.parametrize("raw", [b"", b"null", b"[]"])
def test_an_annotation_without_a_mask(raw):
    assert parse_segmentation(raw, HEIGHT, WIDTH) is None


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        ("[[]]", "a polygon of 0 numbers"),
        ("[[1, 2, 3, 4]]", "a polygon of 4 numbers"),
        ("[[1, 1, 2, 2, 3, 1, 5]]", "a polygon of 7 numbers"),
        ("[[1, 1, 9, 1, 9, 9], [1, 2, 3, 4]]", "a polygon of 4 numbers"),
        ("[[NaN, 1, 9, 1, 9, 9]]", "invalid character"),
        ("[[null, 1, 9, 1, 9, 9]]", "Expected `float`, got `null`"),
        ("[[1e999, 1, 9, 1, 9, 9]]", "Number out of range"),
        ('[["1", 1, 9, 1, 9, 9]]', "Expected `float`, got `str`"),
        ("[[1, 1, 9, 1, 9, 61]]", "reaches further than 60 pixels"),
        ("[[1, 1, 9, 1, 9, -61]]", "reaches further than 60 pixels"),
        ("[1, 1, 9, 1, 9, 9]", "Expected `array`, got `int`"),
        ('"600"', "got `str`"),
        ("{}", "missing required field `size`"),
        ('{"size": [20, 30]}', "missing required field `counts`"),
        ('{"size": [20, 30], "counts": null}', "got `null`"),
        ('{"size": [20, 30], "counts": [1.5]}', "Expected `int`, got `float`"),
        ('{"size": [20, 30, 3], "counts": [600]}', "Expected `array` of length 2"),
        ('{"size": [20, 30], "counts": []}', "sum to 0, expected 600"),
        ('{"size": [20, 30], "counts": ""}', "sum to 0, expected 600"),
        ('{"size": [20, 30], "counts": [599]}', "sum to 599, expected 600"),
        ('{"size": [20, 30], "counts": [600, 1]}', "sum to 601, expected 600"),
        ('{"size": [20, 30], "counts": [601, -1]}', "a run of -1 pixels"),
        ('{"size": [20, 30], "counts": [36893488147419103832]}', "sum to 36893488147419103832"),
        ('{"size": [20, 30], "counts": "hb01"}', "sum to 601, expected 600"),
        ('{"size": [20, 30], "counts": "O"}', "a run of -1 pixels"),
        ('{"size": [20, 30], "counts": "hb!"}', "'!' cannot stand"),
        ('{"size": [20, 30], "counts": "hbP"}', "break off within a number"),
        ('{"size": [20, 30], "counts": "\\ud800"}', "expected polygons or run lengths"),
    ],
)
def test_a_malformed_mask(raw, detail):
    with pytest.raises(Rejected) as refused:
        parse_segmentation(raw.encode(), HEIGHT, WIDTH)
    assert refused.value.reason is Reason.MASK_MALFORMED
    assert detail in refused.value.detail


def test_run_lengths_of_more_pixels_than_a_picture_has():
    assert decode_counts("`XQ`ko3") == [65_500 * 65_500]


def test_masks_whose_run_lengths_pycocotools_would_write_past_its_buffer():
    side = math.isqrt(MAX_MASK_PIXELS) + 1
    for segmentation in ([[1, 1, 9, 1, 9, 9]], {"size": [side, side], "counts": [side * side]}):
        with pytest.raises(Rejected) as refused:
            read(segmentation, side, side)
        assert refused.value.reason is Reason.IMAGE_OVER_PIXEL_CAP


def test_the_longest_run_lengths_that_are_written():
    run = 2**24  # the shortest that takes six characters
    mask = read({"size": [run, 3], "counts": [run, run, run]}, run, 3)
    assert run * 3 == MAX_MASK_PIXELS
    assert len(mask.counts) == 18


@pytest.mark.parametrize("position", range(6))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_polygon_that_is_not_finite(position, value):
    polygon = [1.0, 1.0, 9.0, 1.0, 9.0, 9.0]
    polygon[position] = value
    with pytest.raises(Rejected, match="reaches further"):
        from_polygons([polygon], HEIGHT, WIDTH)


@pytest.mark.parametrize("size", [[30, 20], [20, 31], [0, 0], [-20, -30]])
@pytest.mark.parametrize("counts", [[600], "hb0", [1, 2]])
def test_run_lengths_of_another_image(size, counts):
    with pytest.raises(Rejected) as refused:
        read({"size": size, "counts": counts})
    assert refused.value.reason is Reason.MASK_SIZE_MISMATCH
    assert f"of a {size[1]} x {size[0]} image on a 30 x 20 one" in refused.value.detail


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [10, 10], "counts": [100]},
        {"size": [10, 10], "counts": [100, 0]},
        {"size": [10, 10], "counts": [0, 0, 100]},
        {"size": [10, 10], "counts": [10, 0] * 10},
        {"size": [10, 10], "counts": "T3"},
        {"size": [10, 10], "counts": ":0:0000000X1"},
        [[15.0, 15.0, 18.0, 15.0, 18.0, 18.0]],
        [[-15.0, -15.0, -18.0, -15.0, -18.0, -18.0]],
        [[5.1, 5.1, 5.2, 5.1, 5.2, 5.2]],
        [[15.0, 15.0, 18.0, 15.0, 18.0, 18.0], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]],
    ],
)
def test_a_blank_mask_is_written_in_one_way(segmentation):
    mask = read(segmentation, 10, 10)
    assert (mask, mask.area(), mask.pixels().sum()) == (BLANK, 0, 0)


@given(IMAGES, st.integers(1, 8))
def test_a_mask_turns_as_pillow_turns_its_pixels(pixels, orientation):
    image = Image.fromarray(pixels.astype(np.uint8))
    image.getexif()[Base.Orientation] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image)).astype(bool)
    mask = from_pixels(pixels).turned(orientation)
    np.testing.assert_array_equal(mask.pixels(), expected)
    assert (mask.height, mask.width) == expected.shape


@given(IMAGES, st.sampled_from([(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 8), (7, 7), (8, 6)]))
def test_turning_back_restores_a_mask(pixels, there_and_back):
    there, back = there_and_back
    assert from_pixels(pixels).turned(there).turned(back) == from_pixels(pixels)

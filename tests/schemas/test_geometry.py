"""Boxes: clipped, refused with a reason, and turned as Pillow turns the pixels within."""

import math

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from PIL import Image, ImageOps
from PIL.ExifTags import Base

from schemas.geometry import fit_box, swaps_sides, turn_box, usable_area, xyxy
from schemas.rejection import Reason, Rejected

INVERSE = {1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
ORIENTATIONS = st.sampled_from(sorted(INVERSE))
SIDES = st.integers(1, 65_500)
NAN, INF = math.nan, math.inf


def fitted(box, width, height):
    """The fitted box; a refused one is no example of what is tested."""
    try:
        return fit_box(box, width, height)
    except Rejected:
        assume(False)


@st.composite
def boxes(draw):
    """A box of any kind, most of them partly inside, and the size of its image."""
    width, height = draw(SIDES), draw(SIDES)
    reach = st.floats(-1e5, 1e5) | st.floats(-2, 2) | st.sampled_from([0.0, width, height])
    x0, x1 = sorted([draw(reach), draw(reach)])
    y0, y1 = sorted([draw(reach), draw(reach)])
    return (x0, y0, x1, y1), width, height


@given(boxes())
@example(((0.0, 0.0, 1e-9, 5.0), 100, 100))
@example(((99.99999999, 0.0, 150.0, 5.0), 100, 100))
def test_a_fitted_box_lies_in_its_image_as_32_bit_floats(box_and_sides):
    box, width, height = box_and_sides
    fitted_box, clipped = fitted(box, width, height)
    x0, y0, x1, y1 = fitted_box
    assert 0 <= x0 < x1 <= width
    assert 0 <= y0 < y1 <= height
    assert np.array(fitted_box, np.float32).tolist() == list(fitted_box)
    assert fit_box(fitted_box, width, height) == (fitted_box, False)
    assert clipped == (min(box) < 0 or box[2] > width or box[3] > height)


@given(boxes())
def test_a_fitted_box_is_what_box_and_image_share(box_and_sides):
    (x0, y0, x1, y1), width, height = box_and_sides
    fitted_box, _ = fitted((x0, y0, x1, y1), width, height)
    shared = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    assert fitted_box == pytest.approx(shared, rel=2**-24, abs=1e-30)


@given(boxes())
def test_whatever_covers_a_fiftieth_of_a_pixel_both_ways_is_kept(box_and_sides):
    (x0, y0, x1, y1), width, height = box_and_sides
    assume(min(x1, width) - max(x0, 0) > 0.02 and min(y1, height) - max(y0, 0) > 0.02)
    fit_box((x0, y0, x1, y1), width, height)


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ((NAN, 0.0, 5.0, 5.0), Reason.BOX_NOT_FINITE),
        ((0.0, NAN, 5.0, 5.0), Reason.BOX_NOT_FINITE),
        ((0.0, 0.0, NAN, 5.0), Reason.BOX_NOT_FINITE),
        ((0.0, 0.0, 5.0, NAN), Reason.BOX_NOT_FINITE),
        ((-INF, 0.0, INF, 5.0), Reason.BOX_NOT_FINITE),
        ((0.0, 0.0, 5.0, INF), Reason.BOX_NOT_FINITE),
        ((5.0, 0.0, 4.0, 5.0), Reason.BOX_INVERTED),
        ((0.0, 5.0, 5.0, 4.0), Reason.BOX_INVERTED),
        ((-9.0, 5.0, -8.0, 4.0), Reason.BOX_INVERTED),
        ((5.0, 0.0, 5.0, 5.0), Reason.BOX_ZERO_AREA),
        ((0.0, 5.0, 5.0, 5.0), Reason.BOX_ZERO_AREA),
        ((0.0, 0.0, 1e-9, 5.0), Reason.BOX_ZERO_AREA),
        ((0.0, 0.0, 5.0, 1e-9), Reason.BOX_ZERO_AREA),
        ((19.9999999, 0.0, 25.0, 5.0), Reason.BOX_ZERO_AREA),
        ((20.0, 0.0, 25.0, 5.0), Reason.BOX_OUTSIDE),
        ((0.0, 10.0, 5.0, 15.0), Reason.BOX_OUTSIDE),
        ((-5.0, 0.0, 0.0, 5.0), Reason.BOX_OUTSIDE),
        ((0.0, -5.0, 5.0, 0.0), Reason.BOX_OUTSIDE),
    ],
)
def test_why_a_box_is_refused(box, reason):
    with pytest.raises(Rejected) as refused:
        fit_box(box, 20, 10)
    assert refused.value.reason is reason
    assert str(box) in refused.value.detail


def test_the_corners_of_a_coco_box():
    assert xyxy(1.5, 2.0, 10.0, 20.0) == (1.5, 2.0, 11.5, 22.0)


@st.composite
def pixel_boxes(draw):
    """A box of whole pixels in a small image."""
    width, height = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    x1, y1 = draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height))
    return (float(x0), float(y0), float(x1), float(y1)), width, height


@given(pixel_boxes(), ORIENTATIONS)
def test_a_box_turns_as_pillow_turns_its_pixels(box_and_sides, orientation):
    box, width, height = box_and_sides
    image = Image.new("L", (width, height))
    x0, y0, x1, y1 = map(int, box)
    image.paste(255, (x0, y0, x1, y1))
    image.getexif()[Base.Orientation] = orientation
    turned = ImageOps.exif_transpose(image)
    assert turn_box(box, orientation, width, height) == turned.getbbox()
    assert turned.size == ((height, width) if swaps_sides(orientation) else (width, height))


@given(pixel_boxes(), ORIENTATIONS)
def test_turning_back_restores_a_box(box_and_sides, orientation):
    box, width, height = box_and_sides
    turned = turn_box(box, orientation, width, height)
    size = (height, width) if swaps_sides(orientation) else (width, height)
    assert turn_box(turned, INVERSE[orientation], *size) == box


@given(boxes(), ORIENTATIONS)
@example(((0.0, 0.0, 1e-6, 5.0), 100, 100), 2)
@example(((0.0025, 0.0, 0.0055, 5.0), 65_500, 100), 2)
@example(((0.0, 0.0025, 5.0, 0.0055), 100, 65_500), 4)
def test_a_turned_box_keeps_its_extent_as_32_bit_floats(box_and_sides, orientation):
    box, width, height = box_and_sides
    fitted_box, _ = fitted(box, width, height)
    turned = np.array(turn_box(fitted_box, orientation, width, height), np.float32).tolist()
    across, down = (height, width) if swaps_sides(orientation) else (width, height)
    x0, y0, x1, y1 = turned
    assert 0 <= x0 < x1 <= across
    assert 0 <= y0 < y1 <= down


@pytest.mark.parametrize("area", [0, 0.0, 12, 88.5, float(np.finfo(np.float32).max)])
def test_an_area_is_taken_as_it_is(area):
    assert usable_area(area) == area


@pytest.mark.parametrize("area", [None, -0.5, NAN, INF, -INF, 3.5e38, 1e300])
def test_an_area_that_no_float32_holds_is_none(area):
    assert usable_area(area) is None

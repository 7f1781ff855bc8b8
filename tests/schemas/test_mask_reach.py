"""The agreement of masks with their boxes, against masks and boxes laid out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from schemas.geometry import Box
from schemas.mask import bounds_of, from_polygons
from schemas.mask_reach import fits_by_bounds, stray_masks

HEIGHT, WIDTH = 40, 60


def filled(x0: int, y0: int, x1: int, y1: int) -> str:
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
    pixels[y0:y1, x0:x1] = 1
    counts: bytes = coco_mask.encode(pixels)["counts"]
    return counts.decode()


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((10, 10, 30, 20), None),  # the same rectangle
        ((20.5, 12.5, 21, 13), None),  # a small box in a large mask
        ((30.9, 10, 40, 20), "reaches 20.9 pixels beyond its box, expected 16 at most"),
        ((10, 20.9, 30, 26), None),  # below it, by less than a pixel
        ((32, 10, 40, 20), "lies 2 pixels apart from its box, expected it to touch it"),
        ((10, 1, 30, 7), "lies 3 pixels apart from its box, expected it to touch it"),
        ((27, 10, 30, 20), "reaches 17 pixels beyond its box, expected 16 at most"),
    ],
)
def test_masks_beside_boxes(box, expected):
    masks = [filled(0, 0, WIDTH, HEIGHT), filled(10, 10, 30, 20)]
    strays = list(stray_masks(masks, [(0, 0, WIDTH, HEIGHT), box], (HEIGHT, WIDTH)))
    assert strays == ([] if expected is None else [(1, expected)])
    apart = list(stray_masks(masks[1:], [box], (HEIGHT, WIDTH), beyond=False))
    assert apart == ([(0, expected)] if expected and expected.startswith("lies") else [])


def test_no_masks():
    assert list(stray_masks([], [], (HEIGHT, WIDTH))) == []


@given(data=st.data())
def test_a_mask_is_in_its_own_bounds_however_they_grow(data):
    def side(end: int) -> tuple[int, int]:
        low = data.draw(st.integers(0, end - 1))
        return low, data.draw(st.integers(low + 1, end))

    (x0, x1), (y0, y1), grown = side(WIDTH), side(HEIGHT), data.draw(st.floats(0, 20))
    box: Box = (x0 - grown, y0 - grown, x1 + grown, y1 + grown)
    assert list(stray_masks([filled(x0, y0, x1, y1)], [box], (HEIGHT, WIDTH))) == []


@given(data=st.data())
def test_polygons_that_fit_by_their_bounds_make_masks_that_fit(data):
    x, y = st.floats(-3, WIDTH + 3), st.floats(-3, HEIGHT + 3)
    points = st.lists(st.tuples(x, y), min_size=3, max_size=6)
    polygons = [
        [number for point in polygon for number in point]
        for polygon in data.draw(st.lists(points, min_size=1, max_size=3))
    ]
    x0, y0, x1, y1 = bounds_of(polygons)
    by_hand = [
        (polygon[k], polygon[k + 1]) for polygon in polygons for k in range(0, len(polygon), 2)
    ]
    assert all(x0 <= x <= x1 and y0 <= y <= y1 for x, y in by_hand)
    assert {x0, x1} <= {x for x, _ in by_hand}
    assert {y0, y1} <= {y for _, y in by_hand}
    off = st.floats(-1, 1)
    box = (x0 + data.draw(off), y0 + data.draw(off), x1 + data.draw(off), y1 + data.draw(off))
    mask = from_polygons(polygons, HEIGHT, WIDTH)
    fits = fits_by_bounds((x0, y0, x1, y1), box)
    assert fits == (max(box[0] - x0, box[1] - y0, x1 - box[2], y1 - box[3]) <= 0.5)
    if fits and mask.area():
        assert list(stray_masks([mask.counts], [box], (HEIGHT, WIDTH))) == []


def test_polygons_apart_from_a_box_do_not_fit_by_their_bounds():
    assert not fits_by_bounds((10, 10, 20, 20), (20.6, 10, 30, 20))
    assert fits_by_bounds((10, 10, 20, 20), (10.5, 10.5, 19.5, 19.5))

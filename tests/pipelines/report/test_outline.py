"""Outlines of masks: closed paths through the middles of the border's edges."""

import re

import numpy as np
import pytest

from pipelines.report.outline import outline
from schemas.mask import from_pixels


def loops(pixels: np.ndarray) -> list[np.ndarray]:
    """The corners of each closed path, in pixels."""
    drawn = outline(from_pixels(pixels))
    paths = re.findall(r"M([^Z]*)Z", drawn.path)
    return [
        np.array([list(map(int, point.split())) for point in path.split("L")]) * drawn.scale
        for path in paths
    ]


def area(corners: np.ndarray) -> float:
    """The signed area inside a closed path: positive where it runs clockwise on the screen."""
    following = np.roll(corners, -1, axis=0)
    return float(np.sum(corners[:, 0] * following[:, 1] - following[:, 0] * corners[:, 1]) / 2)


def test_a_square_has_its_corners_cut_by_half_a_pixel():
    pixels = np.zeros((8, 10), dtype=np.uint8)
    pixels[2:6, 3:7] = 1
    (corners,) = loops(pixels)
    assert corners.min(axis=0).tolist() == [3, 2]
    assert corners.max(axis=0).tolist() == [7, 6]
    assert area(corners) == 16 - 4 / 8
    assert len(corners) == 8, "corners alone, none of the points between"


def test_a_hole_runs_the_other_way_and_parts_are_apart():
    pixels = np.zeros((12, 20), dtype=np.uint8)
    pixels[1:9, 1:9] = 1
    pixels[3:6, 3:6] = 0
    pixels[2:4, 14:18] = 1
    areas = sorted(area(corners) for corners in loops(pixels))
    assert areas == [-(9 - 0.5), 8 - 0.5, 64 - 0.5]


def test_pixels_that_touch_at_a_corner_make_closed_paths():
    areas = [area(corners) for corners in loops(np.eye(5, dtype=np.uint8))]
    assert all(each > 0 for each in areas)
    assert sum(areas) == pytest.approx(5 * 0.5, abs=1.5)


def test_the_whole_picture_and_an_empty_mask():
    (corners,) = loops(np.ones((4, 6), dtype=np.uint8))
    assert corners.max(axis=0).tolist() == [6, 4]
    assert outline(from_pixels(np.zeros((4, 6), dtype=np.uint8))).path == ""


def test_a_large_mask_is_followed_in_steps():
    pixels = np.zeros((600, 1000), dtype=np.uint8)
    pixels[200:400, 100:900] = 1
    (corners,) = loops(pixels)
    assert outline(from_pixels(pixels)).scale == 2
    assert area(corners) == pytest.approx(200 * 800, rel=0.01)

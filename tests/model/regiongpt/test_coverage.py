import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco_mask
from torch.nn import functional

from model.frame import Frame
from model.regiongpt.coverage import (
    Coverage,
    Sampling,
    box_coverage,
    mask_coverage,
    mask_coverages,
)
from model.runs import Runs
from schemas.geometry import Box

FRAMES = {
    "wide": Frame.padded(13, 7, 16),
    "high": Frame.padded(5, 12, 16),
    "enlarged": Frame.padded(3, 2, 16),
    "stretched": Frame.stretched(21, 6, 16),
    "incomplete patch": Frame.stretched(19, 19, 16, patch=5),
}


def covered_by_hand(boxes: list[Box], frame: Frame, grid: int) -> NDArray[np.float64]:
    """The share of each cell under boxes that do not overlap, in the model's picture."""
    step = frame.covered / grid
    edges = step * np.arange(grid + 1)
    shares = np.zeros((grid, grid))
    for x0, y0, x1, y1 in boxes:
        left, right = (frame.offset_x + frame.scale_x * x for x in (x0, x1))
        top, bottom = (frame.offset_y + frame.scale_y * y for y in (y0, y1))
        widths = np.minimum(right, edges[1:]) - np.maximum(left, edges[:-1])
        heights = np.minimum(bottom, edges[1:]) - np.maximum(top, edges[:-1])
        shares += np.outer(heights.clip(0), widths.clip(0)) / step**2
    return shares


def pixel_boxes(mask: NDArray[np.bool_]) -> list[Box]:
    return [(float(x), float(y), x + 1.0, y + 1.0) for y, x in np.argwhere(mask)]


def random_mask(frame: Frame, seed: int) -> NDArray[np.bool_]:
    mask = np.random.default_rng(seed).random((frame.height, frame.width)) < 0.4
    mask[seed % frame.height, seed % frame.width] = True
    return mask


def covered(mask: NDArray[np.bool_], frame: Frame, grid: int, *sampling: Sampling) -> Coverage:
    """The coverage of a mask's pixels."""
    return mask_coverage(Runs.of_pixels(mask), frame, grid, *sampling)


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
@pytest.mark.parametrize("grid", [4, 12])
@pytest.mark.parametrize("seed", range(3))
def test_masks_and_boxes_weigh_cells_by_their_area(frame: Frame, grid: int, seed: int) -> None:
    mask = random_mask(frame, seed)
    cells, is_fallback = covered(mask, frame, grid)
    assert not is_fallback
    assert cells.dtype == np.float32
    np.testing.assert_allclose(cells, covered_by_hand(pixel_boxes(mask), frame, grid), atol=1e-6)

    width, height = frame.width, frame.height
    box = (0.3 * seed, 0.25, 0.9 * width, 0.61 * height + 0.1 * seed)
    cells, is_fallback = box_coverage(box, frame, grid)
    assert not is_fallback
    assert cells.dtype == np.float32
    np.testing.assert_allclose(cells, covered_by_hand([box], frame, grid), atol=1e-6)


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_a_box_of_whole_pixels_equals_its_mask(frame: Frame) -> None:
    mask = np.zeros((frame.height, frame.width), dtype=bool)
    mask[1:2, 1:3] = True
    from_mask, from_box = covered(mask, frame, 8), box_coverage((1, 1, 3, 2), frame, 8)
    np.testing.assert_allclose(from_mask.cells, from_box.cells, atol=1e-6)
    np.testing.assert_array_equal(from_mask.cells > 0, from_box.cells > 0)


@pytest.mark.parametrize(
    "size",
    [(640, 480), (333, 500), (1000, 999), (336, 336), (97, 31), (4, 3), (144, 30), (288, 114)],
)
@pytest.mark.parametrize("grid", [96, 108, 128])
def test_a_picture_covers_its_cells_and_none_of_the_padding(size: tuple[int, int], grid: int):
    frame = Frame.padded(*size, 336)
    cells, _ = covered(np.ones(size[::-1], dtype=bool), frame, grid)
    np.testing.assert_allclose(cells, box_coverage((0, 0, *size), frame, grid).cells, atol=1e-6)

    left, top = frame.offset_x * grid / 336, frame.offset_y * grid / 336  # in cells
    right, bottom = left + size[0] * grid / max(size), top + size[1] * grid / max(size)
    number, slack = np.arange(grid), 1e-6
    in_x = (number + 1 > left + slack) & (number < right - slack)
    in_y = (number + 1 > top + slack) & (number < bottom - slack)
    np.testing.assert_array_equal(cells > 0, np.outer(in_y, in_x))
    whole_x = (number > left - slack) & (number + 1 < right + slack)
    whole_y = (number > top - slack) & (number + 1 < bottom + slack)
    np.testing.assert_allclose(cells[np.outer(whole_y, whole_x)], 1, atol=1e-6)
    assert cells.max() <= 1


def test_regions_of_one_pixel_and_lines_keep_their_area() -> None:
    frame = Frame.padded(67, 50, 336)
    cell = (67 / 12) ** 2  # owner's pixels
    for x in range(67):
        line = np.zeros((50, 67), dtype=bool)
        line[:, x] = True
        assert covered(line, frame, 12).cells.sum() * cell == pytest.approx(50, rel=1e-5)
        pixel = np.zeros((50, 67), dtype=bool)
        pixel[(7 * x) % 50, x] = True
        assert covered(pixel, frame, 12).cells.sum() * cell == pytest.approx(1, rel=1e-5)


def test_a_hair_on_a_huge_picture_does_not_vanish() -> None:
    frame = Frame.padded(65_536, 100, 336)
    cells, is_fallback = box_coverage((40_000.25, 30, 40_000.2578125, 30.0078125), frame, 96)
    assert np.count_nonzero(cells) == 1
    assert not is_fallback


def test_masks_of_real_pictures_keep_their_area(samples: Path) -> None:
    path = samples / "coco/tinycoco/annotations/instances_val2017.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    pictures = {picture["id"]: picture for picture in content["images"]}
    seen = 0
    for annotation in content["annotations"]:
        if annotation["iscrowd"]:
            continue
        picture = pictures[annotation["image_id"]]
        width, height = picture["width"], picture["height"]
        runs = coco_mask.merge(coco_mask.frPyObjects(annotation["segmentation"], height, width))
        mask = coco_mask.decode(runs).astype(bool)
        cells, is_fallback = covered(mask, Frame.padded(width, height, 336), 96)
        area = cells.sum(dtype=np.float64) * (max(width, height) / 96) ** 2
        assert area == pytest.approx(int(coco_mask.area(runs)), rel=1e-5)
        assert not is_fallback
        seen += 1
    assert seen > 100


@pytest.mark.parametrize(
    ("box", "cell"),
    [
        ((-20, 200, -10, 300), (49, 0)),  # left of the picture
        ((100, 500, 200, 600), (83, 22)),  # below it: the last row that is not all padding
        ((100, -90, 200, -80), (12, 22)),  # above it
        ((320, 240, 320, 240), (48, 48)),  # without area
    ],
)
def test_an_empty_box_falls_back_to_the_cell_of_its_centre(box: Box, cell: tuple[int, int]) -> None:
    cells, is_fallback = box_coverage(box, Frame.padded(640, 480, 336), 96)
    expected = np.zeros((96, 96), dtype=np.float32)
    expected[cell] = 1
    np.testing.assert_array_equal(cells, expected)
    assert is_fallback


def test_a_region_beyond_the_last_whole_patch_falls_back_to_the_nearest_cell() -> None:
    mask = np.zeros((384, 384), dtype=bool)
    mask[100:110, 380:384] = True  # 27 patches of 14 pixels end at 378
    frame = Frame.stretched(384, 384, 384, patch=14)
    cells, is_fallback = covered(mask, frame, 108)
    assert (np.argwhere(cells).tolist(), is_fallback) == ([[30, 107]], True)
    assert box_coverage((380, 100, 384, 110), frame, 108).cells.tolist() == cells.tolist()


def test_a_mask_of_another_size_or_without_a_pixel_is_refused() -> None:
    frame = Frame.padded(8, 6, 16)
    with pytest.raises(ValueError, match=r"\(8, 6\) for a picture of \(6, 8\)"):
        covered(np.ones((8, 6), dtype=bool), frame, 4)
    with pytest.raises(ValueError, match="without a pixel"):
        covered(np.zeros((6, 8), dtype=bool), frame, 4)


@pytest.mark.parametrize("enlarged", [1, 2])
def test_bilinear_sampling_equals_interpolation_of_the_model_s_mask(enlarged: int) -> None:
    side = 336 // enlarged
    mask = np.random.default_rng(0).random((side, side)) < 0.3
    model_mask = torch.from_numpy(mask.repeat(enlarged, 0).repeat(enlarged, 1)).double()
    expected = functional.interpolate(model_mask[None, None], size=96, mode="bilinear")[0, 0]
    cells = covered(mask, Frame.padded(side, side, 336), 96, Sampling.BILINEAR).cells
    np.testing.assert_allclose(cells, expected.numpy(), atol=1e-6)


def test_bilinear_sampling_pads_and_enlarges_too() -> None:
    mask = np.random.default_rng(0).random((5, 8)) < 0.5
    padded = np.zeros((8, 8), dtype=bool)
    padded[1:6] = mask
    model_mask = torch.from_numpy(padded.repeat(2, 0).repeat(2, 1)).double()
    expected = functional.interpolate(model_mask[None, None], size=32, mode="bilinear")[0, 0]
    cells = covered(mask, Frame.padded(8, 5, 16), 32, Sampling.BILINEAR).cells
    np.testing.assert_allclose(cells, expected.numpy(), atol=1e-6)


def test_lines_that_bilinear_sampling_loses_fall_back_to_their_centre() -> None:
    frame = Frame.padded(336, 336, 336)
    lost = 0
    for x in range(336):
        line = np.zeros((336, 336), dtype=bool)
        line[10:300, x] = True
        coverage = covered(line, frame, 96, Sampling.BILINEAR)
        assert coverage.cells.any()
        lost += coverage.is_fallback
        assert not covered(line, frame, 96).is_fallback
    assert lost / 336 == pytest.approx(0.43, abs=0.01)


@pytest.mark.parametrize("sampling", Sampling)
@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
@pytest.mark.parametrize("grid", [3, 16, 40])  # cells wider than a pixel, and narrower
def test_masks_are_weighed_together_as_each_is_alone(
    frame: Frame, grid: int, sampling: Sampling
) -> None:
    full = np.ones((frame.height, frame.width), dtype=bool)
    corner = np.zeros_like(full)
    corner[-1, -1] = True
    masks = [random_mask(frame, 0), corner, full, random_mask(frame, 1)]
    together = mask_coverages([Runs.of_pixels(mask) for mask in masks], frame, grid, sampling)
    for mask, (cells, is_fallback) in zip(masks, together, strict=True):
        alone = covered(mask, frame, grid, sampling)
        np.testing.assert_array_equal(cells, alone.cells)
        assert is_fallback == alone.is_fallback
    if sampling is Sampling.AREA:
        by_hand = covered_by_hand(pixel_boxes(full), frame, grid)
        np.testing.assert_allclose(together[2].cells, by_hand, atol=1e-6)


def test_no_masks_have_no_coverage() -> None:
    assert mask_coverages([], FRAMES["wide"], 8) == []

"""Means of patches and regions against loops over cells and pixels."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.frame import Frame
from model.regiongpt.cell_order import by_patch
from model.regiongpt.coverage import box_coverage, mask_coverage
from model.regiongpt.mask_pooling import MapPooling
from model.runs import Runs

GRID, SIDE, WIDTH = 4, 16, 6
POOLING = MapPooling(grid=GRID, halvings=2)


def random_map() -> tuple[Tensor, Tensor]:
    """A map [G, G, C] and the same as cells of one picture by patch."""
    raster = torch.randn(SIDE, SIDE, WIDTH, dtype=torch.float64)
    return raster, by_patch(raster[None], GRID, 2)


def pooled(cells: Tensor, weights: NDArray[np.float32]) -> Tensor:
    return POOLING.regions(cells, torch.from_numpy(weights)[None, None])[0, 0]


def shape(name: str) -> NDArray[np.bool_]:
    """A mask of a picture of 64 x 48 pixels: on a map of 16 cells, each has 4 x 4 pixels."""
    mask = np.zeros((48, 64), dtype=bool)
    y, x = np.ogrid[:48, :64]
    if name == "pixel":
        mask[17, 42] = True
    elif name == "column":
        mask[5:40, 31] = True
    elif name == "row":
        mask[47, :] = True
    elif name == "diagonal":
        mask[np.arange(48), np.arange(48)] = True
    elif name == "disc":
        mask |= (y - 20) ** 2 + (x - 30) ** 2 < 200
    elif name == "two parts":
        mask[3:9, 2:5] = mask[30:41, 50:63] = True
    else:
        mask[:] = True
    return mask


@pytest.mark.parametrize(
    "name", ["pixel", "column", "row", "diagonal", "disc", "two parts", "whole picture"]
)
def test_a_region_is_the_mean_of_its_pixels(name: str) -> None:
    raster, cells = random_map()
    mask = shape(name)
    expected = torch.zeros(WIDTH, dtype=torch.float64)
    for y, x in np.argwhere(mask):
        expected += raster[(y + 8) // 4, x // 4]  # 8 rows of padding above the picture
    expected /= mask.sum()
    weights = mask_coverage(Runs.of_pixels(mask), Frame.padded(64, 48, 56), SIDE).cells
    torch.testing.assert_close(pooled(cells, weights), expected)


def test_pixels_larger_than_cells_weigh_all_cells_below() -> None:
    raster, cells = random_map()
    mask = np.zeros((2, 4), dtype=bool)  # each pixel has 4 x 4 cells, with 4 rows above them
    mask[1, 2] = mask[0, 0] = True
    expected = (raster[8:12, 8:12].mean((0, 1)) + raster[4:8, 0:4].mean((0, 1))) / 2
    weights = mask_coverage(Runs.of_pixels(mask), Frame.padded(4, 2, 56), SIDE).cells
    torch.testing.assert_close(pooled(cells, weights), expected)


def test_a_whole_picture_without_padding_is_the_mean_of_the_map() -> None:
    raster, cells = random_map()
    weights = mask_coverage(
        Runs.of_pixels(np.ones((37, 37), dtype=bool)), Frame.padded(37, 37, 56), SIDE
    ).cells
    torch.testing.assert_close(pooled(cells, weights), raster.mean((0, 1)), atol=1e-6, rtol=1e-6)


def test_a_box_is_pooled_as_its_mask() -> None:
    _, cells = random_map()
    frame = Frame.padded(31, 23, 56)
    mask = np.zeros((23, 31), dtype=bool)
    mask[4:19, 7:8] = True
    box = box_coverage((7, 4, 8, 19), frame, SIDE).cells
    torch.testing.assert_close(
        pooled(cells, box),
        pooled(cells, mask_coverage(Runs.of_pixels(mask), frame, SIDE).cells),
        atol=1e-6,
        rtol=0,
    )


def test_regions_stay_with_their_pictures_and_padding_rows_are_zero() -> None:
    maps = [random_map() for _ in range(3)]
    cells = torch.cat([patches for _, patches in maps]).requires_grad_()
    weights = torch.rand(3, 4, SIDE, SIDE)
    weights[1, 2:] = 0
    vectors = POOLING.regions(cells, weights)
    for picture, (raster, _) in enumerate(maps):
        for region in range(4):
            share = weights[picture, region].double()
            expected = (raster * share[..., None]).sum((0, 1)) / share.sum().clamp_min(1e-30)
            torch.testing.assert_close(vectors[picture, region], expected)
    assert not vectors[1, 2:].any()
    vectors.sum().backward()
    assert cells.grad is not None
    assert cells.grad.isfinite().all()


def test_tiny_weights_are_as_good_as_large_ones() -> None:
    _, cells = random_map()
    weights = np.random.default_rng(0).random((SIDE, SIDE)).astype(np.float32)
    torch.testing.assert_close(
        pooled(cells, weights * np.float32(2**-33)), pooled(cells, weights), atol=0, rtol=1e-12
    )


def test_the_mean_of_equal_cells_is_the_cell_in_bfloat16_too() -> None:
    weights = torch.rand(1, 5, 96, 96) ** 8
    cells = torch.ones(1, 576, 16, 1).bfloat16()
    means = MapPooling(grid=24, halvings=2).regions(cells, weights)
    assert means.dtype == torch.bfloat16
    torch.testing.assert_close(means, torch.ones_like(means), atol=2**-8, rtol=0)


def test_weights_are_summed_in_float32() -> None:
    cells = torch.zeros(1, 576, 16, 1).bfloat16()
    cells[0, 0, 0] = 256
    weights = torch.zeros(1, 1, 96, 96)
    weights[0, 0, 0, 0] = 1  # the cell of 256, and 256 others: bfloat16 has no 257
    weights[0, 0, 1:3] = 1
    weights[0, 0, 3, :64] = 1
    mean = MapPooling(grid=24, halvings=2).regions(cells, weights)
    assert mean.item() == torch.tensor(256 / 257).bfloat16() != 1


def test_patches_are_adaptive_average_pooling_with_its_gradient() -> None:
    raster, cells = random_map()
    cells.requires_grad_()
    twin = raster.clone().requires_grad_()
    means = POOLING.patches(cells)
    expected = nn.AdaptiveAvgPool2d(GRID)(twin.permute(2, 0, 1)[None]).flatten(2).transpose(1, 2)
    torch.testing.assert_close(means, expected)
    pull = torch.randn_like(means)
    (means * pull).sum().backward()
    (expected * pull).sum().backward()
    torch.testing.assert_close(cells.grad, by_patch(twin.grad[None], GRID, 2))

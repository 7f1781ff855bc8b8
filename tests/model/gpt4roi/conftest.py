"""Straightforward references of the region encoder's steps, in torch's own layout [N, C, H, W]."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional

Parameters = dict[str, Tensor]
Crop = Callable[..., Tensor]
Step = Callable[..., list[Tensor]]


@pytest.fixture(scope="session")
def direct_crop() -> Crop:
    """RoIAlign of one region on one level [C, H, W], sample by sample."""
    return _crop


@pytest.fixture(scope="session")
def naive_pyramid() -> Step:
    """The pyramid in the order of the paper: interpolate, add coordinates, 1 x 1 convolution."""
    return _pyramid


@pytest.fixture(scope="session")
def naive_shuffle() -> Step:
    """Scale shuffle picture by picture and level by level, the coarsest level first."""
    return _shuffle


def _crop(level: Tensor, box: Sequence[float], cell: float, size: int, ratio: int) -> Tensor:
    x0, y0, x1, y1 = (float(side) / cell - 0.5 for side in box)
    rows = []
    for row in range(size):
        cells = []
        for column in range(size):
            samples = [
                _sample(
                    level,
                    y0 + (row + (i + 0.5) / ratio) * (y1 - y0) / size,
                    x0 + (column + (j + 0.5) / ratio) * (x1 - x0) / size,
                )
                for i in range(ratio)
                for j in range(ratio)
            ]
            cells.append(torch.stack(samples).mean(dim=0))
        rows.append(torch.stack(cells, dim=-1))
    return torch.stack(rows, dim=-2)  # [C, size, size]


def _sample(level: Tensor, y: float, x: float) -> Tensor:
    """The value between four cells; beyond the outer centres, that of the outer cell."""
    last = level.shape[-1] - 1
    assert -0.5 <= y <= last + 0.5
    assert -0.5 <= x <= last + 0.5
    y, x = min(max(y, 0.0), last), min(max(x, 0.0), last)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, last), min(left + 1, last)
    upper = (1 - (x - left)) * level[:, top, left] + (x - left) * level[:, top, right]
    lower = (1 - (x - left)) * level[:, bottom, left] + (x - left) * level[:, bottom, right]
    return (1 - (y - top)) * upper + (y - top) * lower


def _pyramid(features: Sequence[Tensor], convolutions: Sequence[Parameters]) -> list[Tensor]:
    levels = []
    for index, (state, parameters) in enumerate(zip(features, convolutions, strict=True)):
        count, patches, width = state.shape
        grid = int(patches**0.5)
        maps = state.transpose(1, 2).reshape(count, width, grid, grid)
        size = grid * 2**index
        maps = functional.interpolate(maps, size=size, mode="bilinear", align_corners=True)
        ramp = torch.linspace(-1, 1, size, dtype=maps.dtype)
        x = ramp.expand(count, 1, size, size)
        y = x.transpose(2, 3)
        maps = torch.cat([maps, x, y], dim=1)
        levels.append(functional.conv2d(maps, parameters["weight"], parameters["bias"]))
    return levels


def _shuffle(levels: list[Tensor], blocks: Sequence[Parameters], groups: int) -> list[Tensor]:
    for block in blocks:
        pictures = [
            _shuffle_picture([level[n] for level in levels], block, groups)
            for n in range(len(levels[0]))
        ]
        levels = [torch.stack(maps) for maps in zip(*pictures, strict=True)]
    return levels


def _shuffle_picture(levels: list[Tensor], block: Parameters, groups: int) -> list[Tensor]:
    width = levels[0].shape[0]
    half, quarter = width // 2, width // 4
    results = []
    for index, level in enumerate(levels):
        coarser = levels[max(index - 1, 0)][half + quarter :]
        finer = levels[min(index + 1, len(levels) - 1)][half : half + quarter]
        resized = [
            functional.interpolate(
                neighbour[None], size=level.shape[-2:], mode="bilinear", align_corners=True
            )
            for neighbour in (coarser, finer)
        ]
        maps = functional.conv2d(
            torch.cat([level[None, :half], *resized], dim=1), block["conv"], padding=1
        )
        maps = functional.group_norm(maps, groups, block["weight"], block["bias"])
        results.append(functional.relu(maps)[0])
    return results

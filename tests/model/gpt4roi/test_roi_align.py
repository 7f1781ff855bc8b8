from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torchvision.ops import RoIAlign

from model.gpt4roi.roi_align import crop_regions

CELL = 14.0  # pixels; the first level has 4 x 4 cells of a picture of 56 pixels
BOXES = [
    (0.0, 0.0, 56.0, 56.0),  # the whole picture
    (3.3, 20.1, 30.7, 41.9),
    (55.0, 0.0, 56.0, 1.0),  # one pixel in a corner
    (10.0, 0.0, 10.5, 56.0),  # half a pixel wide
    (0.0, 54.2, 56.0, 56.0),  # along the lower edge
]
IMAGES = torch.tensor([1, 0, 2, 1, 0])


def make_levels() -> list[Tensor]:
    return [
        torch.randn(3, size, size, 2, dtype=torch.float64, requires_grad=True) for size in (4, 8)
    ]


@pytest.mark.parametrize(("size", "ratio"), [(3, 2), (2, 1), (2, 3)])
def test_crops_and_gradients_are_those_of_sampling_one_by_one(
    direct_crop: Callable[..., Tensor], size: int, ratio: int
):
    levels = make_levels()
    boxes = torch.tensor(BOXES, dtype=torch.float64)
    result = crop_regions(levels, boxes, IMAGES, cell=CELL, size=size, sampling_ratio=ratio)
    expected = torch.stack(
        [
            torch.cat(
                [
                    direct_crop(level[n].permute(2, 0, 1), box, CELL / 2**k, size, ratio)
                    for k, level in enumerate(levels)
                ]
            )
            for box, n in zip(BOXES, IMAGES, strict=True)
        ]
    ).permute(0, 2, 3, 1)
    assert result.shape == (5, size, size, 4)
    assert result.is_contiguous()
    torch.testing.assert_close(result, expected)
    weights = torch.randn_like(result)
    torch.testing.assert_close(
        torch.autograd.grad(result, levels, weights), torch.autograd.grad(expected, levels, weights)
    )


def test_crops_are_torchvisions_of_boxes_per_picture():
    levels = make_levels()
    boxes = torch.tensor(BOXES, dtype=torch.float64)
    result = crop_regions(levels, boxes, IMAGES, cell=CELL, size=7, sampling_ratio=2)
    for k, level in enumerate(levels):
        operator = RoIAlign(7, spatial_scale=2**k / CELL, sampling_ratio=2, aligned=True)
        per_picture = [boxes[n == IMAGES] for n in range(3)]  # its output goes picture by picture
        expected = operator(level.permute(0, 3, 1, 2), per_picture)
        order = torch.argsort(IMAGES, stable=True)
        torch.testing.assert_close(
            result[order][..., 2 * k : 2 * k + 2], expected.permute(0, 2, 3, 1)
        )


def test_bfloat16_levels_are_sampled_in_float32():
    levels = [level.detach().bfloat16() for level in make_levels()]
    boxes = torch.tensor(BOXES)
    result, exact = (
        crop_regions(maps, boxes, IMAGES, cell=CELL, size=3, sampling_ratio=2)
        for maps in (levels, [level.float() for level in levels])
    )
    assert torch.equal(result, exact.bfloat16())

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from model.gpt4roi.pyramid import patch_coordinates
from model.gpt4roi.region_encoder import RegionEncoder
from model.presets import tiny_gpt4roi


def encoder_of(grid: int, layers: tuple[int, ...]) -> RegionEncoder:
    """An encoder whose pyramid is 16 wide, over a tower 24 wide with `grid` patches a side."""
    config = tiny_gpt4roi(pyramid_layers=layers, pyramid_width=16, roi_size=2)
    config.vision_config.hidden_size = 24
    config.vision_config.image_size = 14 * grid
    return RegionEncoder(config).double()


@pytest.mark.parametrize(("grid", "levels"), [(4, 4), (5, 3), (3, 1)])
def test_levels_and_gradients_are_those_of_the_papers_order(
    naive_pyramid: Callable[..., list[Tensor]], grid: int, levels: int
):
    encoder = encoder_of(grid, (-2, -5, -8, -11)[:levels])
    features = [
        torch.randn(2, grid**2, 24, dtype=torch.float64, requires_grad=True) for _ in range(levels)
    ]
    convolutions = [
        {
            "weight": torch.cat([level.features.weight, level.coordinates.weight], dim=1)[
                :, :, None, None
            ],
            "bias": level.coordinates.bias,
        }
        for level in encoder.levels
    ]
    result = [level.permute(0, 3, 1, 2) for level in encoder.pyramid(features)]
    expected = naive_pyramid(features, convolutions)
    assert [level.shape[-1] for level in result] == [grid * 2**k for k in range(levels)]
    torch.testing.assert_close(result, expected)
    weights = [torch.randn_like(level) for level in result]
    inputs = [*features, *encoder.levels.parameters()]
    torch.testing.assert_close(
        torch.autograd.grad(result, inputs, weights),
        torch.autograd.grad(expected, inputs, weights),
    )


def test_coordinates_are_x_then_y_of_patches_row_by_row():
    expected = [[-1, -1], [0, -1], [1, -1], [-1, 0], [0, 0], [1, 0], [-1, 1], [0, 1], [1, 1]]
    assert patch_coordinates(3, torch.zeros(())).tolist() == expected


def test_parts_of_the_convolution_start_alike():
    level = encoder_of(4, (-2,)).levels[0]
    bound = 26**-0.5  # of a convolution with 24 channels, x and y as its input
    for parameter in level.parameters():
        assert 0.8 * bound < parameter.abs().max() <= bound

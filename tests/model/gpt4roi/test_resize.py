import pytest
import torch
from torch.nn import functional

from model.gpt4roi.resize import resize, resize_matrix


def test_the_matrix_of_the_docstring():
    expected = torch.tensor([[1, 0], [0.5, 0.5], [0, 1]])
    assert torch.equal(resize_matrix(2, 3, torch.zeros(())), expected)


@pytest.mark.parametrize(
    ("cells", "target"), [(4, 8), (4, 32), (8, 4), (5, 3), (3, 3), (1, 4), (4, 1)]
)
def test_maps_and_gradients_are_those_of_torchs_interpolation(cells: int, target: int):
    maps = torch.randn(2, cells, cells, 3, dtype=torch.float64, requires_grad=True)
    result = resize(maps, resize_matrix(cells, target, maps))
    expected = functional.interpolate(
        maps.permute(0, 3, 1, 2), size=target, mode="bilinear", align_corners=True
    ).permute(0, 2, 3, 1)
    torch.testing.assert_close(result, expected)
    weights = torch.randn_like(result)
    torch.testing.assert_close(
        torch.autograd.grad(result, maps, weights), torch.autograd.grad(expected, maps, weights)
    )


def test_some_channels_of_a_map_are_resized_alone():
    maps = torch.randn(2, 4, 4, 8, dtype=torch.float64)
    matrix = resize_matrix(4, 8, maps)
    torch.testing.assert_close(resize(maps[..., 2:5], matrix), resize(maps, matrix)[..., 2:5])


def test_positions_are_exact_before_weights_become_bfloat16():
    matrix = resize_matrix(64, 128, torch.zeros((), dtype=torch.bfloat16))
    exact = resize_matrix(64, 128, torch.zeros((), dtype=torch.float64))
    assert matrix.dtype == torch.bfloat16
    torch.testing.assert_close(matrix.double(), exact, rtol=2**-8, atol=1e-5)

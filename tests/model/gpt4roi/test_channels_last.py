import pytest
import torch
from torch import nn
from torch.nn import functional

from model.gpt4roi.channels_last import ChannelsLastGroupNorm, convolve


def test_group_norm_and_its_gradients_are_torchs():
    norm = ChannelsLastGroupNorm(4, 12).double()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    maps = torch.randn(2, 3, 3, 12, dtype=torch.float64, requires_grad=True)
    inputs = (maps, norm.weight, norm.bias)
    expected = functional.group_norm(maps.permute(0, 3, 1, 2), 4, norm.weight, norm.bias)
    expected = expected.permute(0, 2, 3, 1)
    result = norm(maps)
    torch.testing.assert_close(result, expected)
    weights = torch.randn_like(result)
    torch.testing.assert_close(
        torch.autograd.grad(result, inputs, weights),
        torch.autograd.grad(expected, inputs, weights),
    )


def test_group_norm_of_bfloat16_rounds_once_at_its_end():
    # Values far from 0: a mean or deviation in bfloat16 would be off by parts of the deviation.
    maps = (torch.randn(2, 8, 8, 12) + 50).bfloat16()
    norm = ChannelsLastGroupNorm(4, 12)
    exact = norm(maps.double())
    norm.bfloat16()
    result = norm(maps)
    assert result.dtype == torch.bfloat16
    torch.testing.assert_close(result, exact.bfloat16(), rtol=0, atol=2**-7)
    assert (result == exact.bfloat16()).float().mean() > 0.99


def test_no_maps_at_all_are_normalised_without_a_warning():
    norm = ChannelsLastGroupNorm(4, 12)
    norm(torch.empty(0, 3, 3, 12)).sum().backward()
    assert torch.equal(norm.weight.grad, torch.zeros(12))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_convolution_neither_gets_nor_makes_copies_in_another_order(dtype: torch.dtype):
    seen = []
    convolution = nn.Conv2d(8, 16, 3, padding=1).to(dtype)
    convolution.register_forward_hook(lambda _, given, result: seen.extend([given[0], result]))
    maps = torch.randn(2, 5, 5, 8, dtype=dtype)
    result = convolve(convolution, maps)
    assert result.shape == (2, 5, 5, 16)
    assert result.is_contiguous()
    assert seen[0].data_ptr() == maps.data_ptr()
    assert all(map_.is_contiguous(memory_format=torch.channels_last) for map_ in seen)
    torch.testing.assert_close(result.permute(0, 3, 1, 2), convolution(maps.permute(0, 3, 1, 2)))

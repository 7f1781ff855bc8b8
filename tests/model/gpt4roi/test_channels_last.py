import pytest
import torch
from torch import nn
from torch.nn import functional

from model.gpt4roi.channels_last import ChannelsLastGroupNorm, convolve


@pytest.mark.parametrize("weights", [torch.float32, torch.float64])
def test_group_norm_and_its_gradients_are_torchs(weights: torch.dtype):
    """Weights of another precision than the maps are for the way of GPUs, taken on a CPU too."""
    norm = ChannelsLastGroupNorm(4, 12).to(weights)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    maps = torch.randn(2, 3, 3, 12, dtype=torch.float64, requires_grad=True)
    exact = norm.weight.detach().double().requires_grad_(), norm.bias.detach().double()
    exact[1].requires_grad_()
    expected = functional.group_norm(maps.permute(0, 3, 1, 2), 4, *exact).permute(0, 2, 3, 1)
    result = norm(maps)
    assert result.is_contiguous()
    torch.testing.assert_close(result, expected)
    seed = torch.randn_like(result)
    torch.testing.assert_close(
        torch.autograd.grad(result, (maps, norm.weight, norm.bias), seed),
        torch.autograd.grad(expected, (maps, *exact), seed),
        check_dtype=False,
        rtol=1e-5,
        atol=1e-6,
    )


def test_group_norm_on_a_cpu_takes_torchs_operator_where_that_is_exact():
    maps = torch.randn(2, 3, 3, 12, requires_grad=True)
    operators = {
        dtype: type(ChannelsLastGroupNorm(4, 12)(maps.to(dtype)).grad_fn.next_functions[0][0])
        for dtype in (torch.float32, torch.bfloat16)
    }
    assert operators[torch.float32].__name__ == "NativeGroupNormBackward0"
    assert operators[torch.bfloat16].__name__ != "NativeGroupNormBackward0"


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

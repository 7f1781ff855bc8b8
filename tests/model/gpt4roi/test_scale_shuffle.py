from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from model.gpt4roi.resize import resize_matrix
from model.gpt4roi.scale_shuffle import ScaleShuffle, exchange

SIZES = (1, 2, 4, 8)


def make_levels(count: int, width: int = 8) -> list[Tensor]:
    return [
        torch.randn(2, size, size, width, dtype=torch.float64, requires_grad=True)
        for size in SIZES[:count]
    ]


def test_a_level_keeps_half_and_takes_a_quarter_from_either_neighbour():
    # Channels of level k hold the numbers 10 k to 10 k + 3: two that stay, A, B.
    levels = [
        torch.tensor([10.0 * k, 10 * k + 1, 10 * k + 2, 10 * k + 3]).repeat(1, size, size, 1)
        for k, size in enumerate(SIZES[:3])
    ]
    finer = [resize_matrix(1, 2, levels[0]), resize_matrix(2, 4, levels[0])]
    coarser = [resize_matrix(2, 1, levels[0]), resize_matrix(4, 2, levels[0])]
    result = exchange(levels, finer, coarser)
    assert [level[0, 0, 0].tolist() for level in result] == [
        [0, 1, 3, 12],  # the coarsest: its own B for want of a coarser level
        [10, 11, 3, 22],
        [20, 21, 13, 22],  # the finest: its own A
    ]
    assert all((level == level[:, :1, :1]).all() for level in result)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_levels_and_gradients_are_those_of_a_loop_over_pictures(
    naive_shuffle: Callable[..., list[Tensor]], count: int
):
    shuffle = ScaleShuffle(blocks=2, width=8, groups=2).double()
    for block in shuffle.blocks:
        torch.nn.init.normal_(block.norm.weight)
        torch.nn.init.normal_(block.norm.bias)
    levels = make_levels(count)
    blocks = [
        {"conv": block.conv.weight, "weight": block.norm.weight, "bias": block.norm.bias}
        for block in shuffle.blocks
    ]
    result = [level.permute(0, 3, 1, 2) for level in shuffle(levels)]
    expected = naive_shuffle([level.permute(0, 3, 1, 2) for level in levels], blocks, 2)
    torch.testing.assert_close(result, expected)
    weights = [torch.randn_like(level) for level in result]
    inputs = [*levels, *shuffle.parameters()]
    torch.testing.assert_close(
        torch.autograd.grad(result, inputs, weights),
        torch.autograd.grad(expected, inputs, weights),
    )


def test_gradient_checkpointing_keeps_less_and_changes_nothing():
    shuffle = ScaleShuffle(blocks=2, width=8, groups=2).double()
    levels = make_levels(2)
    plain, plain_kept = gradients(shuffle, levels)
    shuffle.gradient_checkpointing = True
    again, again_kept = gradients(shuffle, levels)
    torch.testing.assert_close(again, plain, rtol=0, atol=0)
    assert again_kept == 2  # by the sine; the inputs of blocks are held by checkpoint itself
    assert plain_kept > 2 * 2 * 4  # at least four by each block on each level


def test_gradient_checkpointing_is_for_training():
    shuffle = ScaleShuffle(blocks=1, width=8, groups=2).double().eval()
    shuffle.gradient_checkpointing = True
    assert gradients(shuffle, make_levels(1))[1] > 2


def gradients(shuffle: ScaleShuffle, levels: list[Tensor]) -> tuple[tuple[Tensor, ...], int]:
    """The gradients of all inputs, and the number of tensors kept for them, empty ones aside."""
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        if tensor.numel():
            kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        total = torch.stack([level.sum() for level in map(torch.sin, shuffle(levels))]).sum()
    return torch.autograd.grad(total, [*levels, *shuffle.parameters()]), len(kept)

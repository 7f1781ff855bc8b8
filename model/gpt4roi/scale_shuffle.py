"""Scale shuffle: levels of a pyramid exchange channels with their neighbours, block by block.

Source: GPT4RoI, section 3.1, after DDQ (Zhang et al., 2023). Of the channels of a level, the first
half stays; the other two quarters, A and B, come from the neighbours: B from the coarser level, A
from the finer one, each interpolated to this level's resolution. A level without such a neighbour
takes its own quarter. A 3 x 3 convolution, group normalisation and ReLU follow, with the same
weights on every level. Levels are ordered from the coarsest on.

Letters in shapes: N pictures, C channels, H cells on a side (of each level another number).
"""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from model.gpt4roi.channels_last import ChannelsLastGroupNorm, convolve
from model.gpt4roi.resize import resize, resize_matrix


class ScaleShuffle(nn.Module):
    """Blocks of scale shuffle, one after the other.

    Where `gradient_checkpointing` is set, for these blocks alone or by transformers for the whole
    model, training keeps only the levels between blocks and computes the rest again.
    """

    def __init__(self, *, blocks: int, width: int, groups: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ShuffleBlock(width, groups) for _ in range(blocks))
        self.gradient_checkpointing = False

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        """Return the levels after all blocks, each [N, H, H, C] as before."""
        sizes = [(level.shape[1], after.shape[1]) for level, after in pairwise(levels)]
        finer = [resize_matrix(coarse, fine, levels[0]) for coarse, fine in sizes]
        coarser = [resize_matrix(fine, coarse, levels[0]) for coarse, fine in sizes]
        again = self.gradient_checkpointing and self.training and torch.is_grad_enabled()
        for block in self.blocks:
            run = partial(checkpoint, block, use_reentrant=False) if again else block
            levels = run(levels, finer, coarser)
        return levels


class NormAndReLU(ChannelsLastGroupNorm):
    """Group normalisation and ReLU as one module, so that both can be computed again at once.

    In bfloat16 they keep four times as much for the backward pass as they are given.
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps, [N, H, H, C] to the same, none below 0."""
        return super().forward(maps).relu_()


class ShuffleBlock(nn.Module):
    """One exchange of channels, and the layers after it."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = NormAndReLU(groups, width)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the convolution by Kaiming's rule for ReLU."""
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")

    def forward(
        self, levels: Sequence[Tensor], finer: Sequence[Tensor], coarser: Sequence[Tensor]
    ) -> list[Tensor]:
        """Return the levels after this block, each [N, H, H, C] as before; see `exchange`."""
        exchanged = exchange(levels, finer, coarser)
        return [self.norm(convolve(self.conv, level)) for level in exchanged]


def exchange(
    levels: Sequence[Tensor], finer: Sequence[Tensor], coarser: Sequence[Tensor]
) -> list[Tensor]:
    """Return each level with two quarters of its channels from its neighbours.

    Args:
        levels: each [N, H, H, C], the coarsest first.
        finer: of level k, the matrix that interpolates it to the resolution of level k + 1.
        coarser: of level k + 1, the matrix that interpolates it to the resolution of level k.
    """
    width = levels[0].shape[-1]
    keep = width - 2 * (width // 4)
    kept, first, second = zip(
        *(level.split((keep, width // 4, width // 4), dim=-1) for level in levels), strict=True
    )
    from_coarser = [second[0], *map(resize, second, finer)]
    from_finer = [*map(resize, first[1:], coarser), first[-1]]
    return [torch.cat(parts, dim=-1) for parts in zip(kept, from_coarser, from_finer, strict=True)]

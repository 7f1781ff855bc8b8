"""RegionGPT's refinement: two deconvolutions of stride 2 make 4 x 4 cells of each patch.

The paper (section 3.1) gives their number and stride. Kernel, width and activations are those of
later public code of the same authors: kernel 2, the tower's width throughout, normalisation of
channels and GELU between the two, GELU after them. With kernel 2 the results of two cells do not
overlap, so that a deconvolution is one matrix product.

Letters: N pictures, g patches on a side, P = g * g patches, B cells of a patch in the order of
`cell_order`, C channels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from model.regiongpt.cell_order import by_patch, in_raster

HALVINGS = 2  # of a patch's sides, by the two deconvolutions


class Refinement(nn.Module):
    """Two deconvolutions: [N, P, C] to [N, P, 16, C].

    Args:
        width: the number C of channels.
        grid: the number g of patches on a side.
        kernel: 2, or 4 for results that overlap (an ablation; it moves every value twice).
    """

    # True in training: keep only the input for the backward pass and compute the rest again. At
    # 336 pixels in bfloat16 it saves 38 MB a picture for 1 % more work. transformers' switch sets
    # this attribute too.
    gradient_checkpointing = False

    def __init__(self, width: int, grid: int, kernel: int) -> None:
        """Make the layers."""
        super().__init__()
        self.deconv1 = _deconvolution(width, kernel, grid, halvings=0)
        self.norm = ChannelNorm(width, eps=1e-6)
        self.deconv2 = _deconvolution(width, kernel, grid, halvings=1)

    def forward(self, features: Tensor) -> Tensor:
        """Return the cells [N, P, 16, C] of patches [N, P, C]."""
        if self.gradient_checkpointing and self.training and torch.is_grad_enabled():
            cells: Tensor = checkpoint(
                self._refine, features, use_reentrant=False, preserve_rng_state=False
            )
            return cells
        return self._refine(features)

    def _refine(self, features: Tensor) -> Tensor:
        quarters = functional.gelu(self.norm(self.deconv1(features.unsqueeze(2))))  # [N, P, 4, C]
        return functional.gelu(self.deconv2(quarters))


class ChannelNorm(nn.LayerNorm):
    """A layer normalisation that is computed in float32 whatever the type of the model."""

    def forward(self, input: Tensor) -> Tensor:
        """Return the input [..., C], normalised over its channels."""
        wide = torch.promote_types(input.dtype, torch.float32)
        normal = functional.layer_norm(
            input.to(wide),
            self.normalized_shape,
            self.weight.to(wide),
            self.bias.to(wide),
            self.eps,
        )
        return normal.to(input.dtype)


class Deconvolution(nn.ConvTranspose2d):
    """A deconvolution of stride 2 and kernel 2: [N, P, B, C] to [N, P, 4 * B, C].

    Its parameters are those of torch's layer; its matrix product takes each cell by itself.
    """

    def __init__(self, width: int) -> None:
        """Make the parameters: weight [C, C, 2, 2] and bias [C]."""
        super().__init__(width, width, kernel_size=2, stride=2)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return the four quarters of each cell."""
        weight = self.weight.permute(2, 3, 1, 0).flatten(0, 2)  # [4 * C, C]
        quarters = functional.linear(input, weight, self.bias.repeat(4))
        return quarters.unflatten(-1, (4, self.out_channels)).flatten(2, 3)


class OverlappingDeconvolution(nn.ConvTranspose2d):
    """A deconvolution of stride 2 and kernel 4: [N, P, B, C] to [N, P, 4 * B, C]."""

    def __init__(self, width: int, grid: int, halvings: int) -> None:
        """Make the parameters: weight [C, C, 4, 4] and bias [C].

        Args:
            width: the number C of channels.
            grid: the number g of patches on a side.
            halvings: the number of times that the sides of a patch were halved before.
        """
        super().__init__(width, width, kernel_size=4, stride=2, padding=1)
        self.grid = grid
        self.halvings = halvings

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return the four quarters of each cell."""
        raster = in_raster(input, self.grid, self.halvings).permute(0, 3, 1, 2)
        finer = super().forward(raster).permute(0, 2, 3, 1)
        return by_patch(finer, self.grid, self.halvings + 1)


def _deconvolution(width: int, kernel: int, grid: int, halvings: int) -> nn.Module:
    if kernel == 2:
        return Deconvolution(width)
    return OverlappingDeconvolution(width, grid, halvings)

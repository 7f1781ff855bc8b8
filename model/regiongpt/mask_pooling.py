"""Means over cells of the refined map: of each patch for the image, of each region by its weights.

Interpolation of the map before the means (Table 6 of the RegionGPT paper) is linear, as the means
are. So the map stays as it is: its interpolation is multiplied into the weights, and a map with
256 times as many cells is never made.

Letters: N pictures, R regions of a picture, g patches on a side, P = g * g patches, B cells of a
patch in the order of `cell_order`, C channels, m cells on a side of the map, F interpolated cells
on a side of a cell, G = F * m cells on a side of the interpolated map.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from model.regiongpt.cell_order import by_patch, in_raster


@dataclass(frozen=True, kw_only=True)
class MapPooling:
    """The means of a map that has `grid` patches, each with 4^`halvings` cells."""

    grid: int  # patches on a side
    halvings: int  # of a patch's sides
    factor: int = 1  # F, the bilinear interpolation of the map; 1: none

    def patches(self, cells: Tensor) -> Tensor:
        """Return the mean [N, P, C] of each patch from cells [N, P, B, C].

        It is the adaptive average pooling of the paper, which the interpolated map has too.
        """
        if self.factor == 1:
            return cells.mean(dim=2)
        raster = in_raster(cells, self.grid, self.halvings)
        mean = self._interpolation(cells).unflatten(0, (self.grid, -1)).mean(dim=1)  # [g, m]
        return torch.einsum("ia,jb,nabc->nijc", mean, mean, raster).flatten(1, 2)

    def regions(self, cells: Tensor, weights: Tensor) -> Tensor:
        """Return the weighted mean [N, R, C] of each region; 0 where all weights are 0.

        Weights are rounded to the type of the cells for the product, and then those that were
        used are summed in float32: a mean of equal cells stays what they are.

        Args:
            cells: [N, P, B, C].
            weights: [N, R, G, G], 0 to 1, in raster order.
        """
        pictures, count = weights.shape[:2]
        weights = weights.to(cells.dtype)
        if self.factor > 1:
            interpolation = self._interpolation(cells)
            weights = interpolation.T @ weights @ interpolation
        shares = by_patch(weights.flatten(0, 1).unsqueeze(-1), self.grid, self.halvings)
        shares = shares.unflatten(0, (pictures, count)).flatten(2)  # [N, R, P * B]
        sums = torch.bmm(shares, cells.flatten(1, 2))
        wide = torch.promote_types(cells.dtype, torch.float32)
        totals = shares.sum(dim=-1, keepdim=True, dtype=wide)
        return (sums / torch.where(totals > 0, totals, 1.0)).to(cells.dtype)

    def _interpolation(self, cells: Tensor) -> Tensor:
        """Return the matrix [G, m] that interpolates along one axis; exact in bfloat16 too."""
        side = self.grid * 2**self.halvings
        ones = torch.eye(side, device=cells.device)[None]
        finer = functional.interpolate(ones, scale_factor=float(self.factor), mode="linear")
        return finer[0].T.to(cells.dtype)

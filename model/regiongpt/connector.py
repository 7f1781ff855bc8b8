"""RegionGPT's connector: from the vision tower's patches to image and region tokens.

Letters: N pictures, R regions of a picture, P patches, C the tower's width, D the language
model's, G cells on a side of the map that regions are pooled from.
"""

from torch import Tensor, nn

from model.config import RegionGPTConfig
from model.region_inputs import Regions
from model.regiongpt.mask_pooling import MapPooling
from model.regiongpt.refinement import HALVINGS, Refinement


class RegionGPTConnector(nn.Module):
    """Refinement, mask pooling, and one MLP for image and regions (RegionGPT, section 3.1)."""

    def __init__(self, config: RegionGPTConfig) -> None:
        """Make the trained parts: `refinement`, where there is one, and `projector`."""
        super().__init__()
        width, text_width = config.vision_config.hidden_size, config.text_config.hidden_size
        is_refined = config.refinement in {"deconv", "deconv_bilinear"}
        self.refinement = (
            Refinement(width, config.grid, config.refinement_kernel) if is_refined else None
        )
        self.projector = nn.Sequential(
            nn.Linear(width, text_width), nn.GELU(), nn.Linear(text_width, text_width)
        )
        halvings = HALVINGS if is_refined else 0
        factor = config.refinement_scale // 2**halvings
        self.pooling = MapPooling(grid=config.grid, halvings=halvings, factor=factor)
        self.region_grid = config.region_grid

    def forward(
        self, features: tuple[Tensor, ...], regions: Regions | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Return the image tokens [N, P, D] and the region tokens [N * R, D].

        Args:
            features: the one hidden state [N, P, C] of `config.feature_layers`.
            regions: their `weights` [N, R, G, G]; token n * R + r is region r of picture n. None,
                and none returned, for pictures without regions.
        """
        (patches,) = features
        cells = patches.unsqueeze(2) if self.refinement is None else self.refinement(patches)
        image = self.projector(self.pooling.patches(cells))
        if regions is None or regions.weights is None:
            return image, None
        self._check(regions.weights, len(patches))
        pooled = self.pooling.regions(cells, regions.weights)
        return image, self.projector(pooled.flatten(0, 1))

    def _check(self, weights: Tensor, pictures: int) -> None:
        grid = self.region_grid
        if weights.dim() != 4 or weights.shape[0] != pictures or weights.shape[2:] != (grid, grid):
            raise ValueError(
                f"region weights of shape {tuple(weights.shape)}, expected [{pictures} pictures, "
                f"regions, {grid}, {grid}]: the processor is of another model"
            )

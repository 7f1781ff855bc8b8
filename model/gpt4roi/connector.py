"""What stands between GPT4RoI's vision tower and its language model.

Letters in shapes: N pictures, P image tokens of each, V width of the vision tower, K regions, D
width of the language model.
"""

import torch
from torch import Tensor, nn

from model.config import GPT4RoIConfig
from model.gpt4roi.region_encoder import RegionEncoder
from model.region_inputs import Regions

BOUNDARY_STD = 0.02  # about that of the language model's embeddings


class GPT4RoIConnector(nn.Module):
    """A linear projector for image tokens, an encoder of boxes for region tokens.

    With `image_boundaries`, `image_start` and `image_end` [D] are the vectors before and after the
    image tokens.
    """

    def __init__(self, config: GPT4RoIConfig) -> None:
        super().__init__()
        width = config.text_config.hidden_size
        self.has_boundaries = config.image_boundaries
        self.projector = nn.Linear(config.vision_config.hidden_size, width)
        if config.image_boundaries:
            self.image_start = nn.Parameter(torch.empty(width))
            self.image_end = nn.Parameter(torch.empty(width))
        self.region_encoder = RegionEncoder(config)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the vectors around image tokens; the parts have drawn their own."""
        for vector in self.parameters(recurse=False):
            nn.init.normal_(vector, std=BOUNDARY_STD)

    def forward(
        self, features: tuple[Tensor, ...], regions: Regions | None
    ) -> tuple[Tensor, Tensor | None]:
        """Return the embeddings of image tokens and of regions.

        Args:
            features: each [N, P, V], the hidden states that the configuration names.
            regions: boxes [K, 4] in pixels of the model's picture, their pictures [K], and where
                known the pictures that have any. None and
                K = 0 differ in that the encoder's parameters have no gradient, or a zero one.

        Returns:
            Image tokens [N, P, D], or [N, P + 2, D] with `image_boundaries`, between these vectors;
            and regions [K, D] or None.
        """
        tokens = self._bounded(self.projector(features[0]))
        if regions is None:
            return tokens, None
        images = regions.images
        if regions.pictures is not None:
            features = tuple(state.index_select(0, regions.pictures) for state in features)
            images = torch.searchsorted(regions.pictures, images)
        return tokens, self.region_encoder(features, regions.boxes, images)

    def _bounded(self, tokens: Tensor) -> Tensor:
        """Return image tokens between the vectors around them, where there are such."""
        if not self.has_boundaries:
            return tokens
        start, end = (
            vector.expand(len(tokens), 1, -1) for vector in (self.image_start, self.image_end)
        )
        return torch.cat([start, tokens, end], dim=1)

"""GPT4RoI's region feature extractor: one embedding for each box.

Source: GPT4RoI, section 3.1.

    hidden states -> pyramid with coordinates -> scale shuffle -> RoIAlign on all levels
                  -> 3 x 3 convolution -> linear -> + box embedding -> linear -> embedding

Letters in shapes: N pictures, G patches on a side, V width of the vision tower, K regions, L
levels, H cells on a side of a level (G, 2G, 4G, ...), C channels of the pyramid, R cells on a side
of a crop, D width of the language model.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from model.config import GPT4RoIConfig
from model.gpt4roi.box_embedding import BoxEmbedding
from model.gpt4roi.channels_last import convolve
from model.gpt4roi.pyramid import PyramidLevel, patch_coordinates
from model.gpt4roi.resize import resize, resize_matrix
from model.gpt4roi.roi_align import crop_regions
from model.gpt4roi.scale_shuffle import ScaleShuffle


class RegionEncoder(nn.Module):
    """From hidden states of the vision tower and boxes to embeddings for the language model."""

    def __init__(self, config: GPT4RoIConfig) -> None:
        super().__init__()
        self.config = config
        channels, width = config.vision_config.hidden_size, config.pyramid_width
        depth = len(config.pyramid_layers)
        self.levels = nn.ModuleList(PyramidLevel(channels, width) for _ in range(depth))
        self.shuffle = ScaleShuffle(
            blocks=config.shuffle_blocks, width=width, groups=config.shuffle_groups
        )
        # A convolution of each level's crop, and their sum: one convolution of all crops.
        self.crop_conv = nn.Conv2d(depth * width, width, 3, padding=1)
        self.flatten = nn.Linear(width * config.roi_size**2, width)
        self.box_embedding = (
            BoxEmbedding(hidden=config.box_embedding_width, width=width)
            if config.box_embedding
            else None
        )
        self.output = nn.Linear(width, config.text_config.hidden_size)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the convolution of crops as the released code does."""
        nn.init.normal_(self.crop_conv.weight, std=0.01)
        nn.init.zeros_(self.crop_conv.bias)

    def forward(self, features: Sequence[Tensor], boxes: Tensor, images: Tensor) -> Tensor:
        """Return the embeddings of regions.

        Without regions nothing is computed, but every parameter still has its (zero) gradient.

        Args:
            features: each [N, G * G, V], of the coarsest level first.
            boxes: [K, 4] x0, y0, x1, y1 in pixels of the model's picture; clipped to it.
            images: [K] the picture of each box, 0..N-1.

        Returns:
            [K, D].
        """
        if not boxes.shape[0]:
            features = [state[:0] for state in features]
        levels = self.shuffle(self.pyramid(features))
        return self._embed(levels, boxes, images)

    def pyramid(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return the levels before scale shuffle, each [N, H, H, C], the coarsest first."""
        grid = self.config.grid
        coordinates = patch_coordinates(grid, features[0])
        levels = []
        for index, (level, state) in enumerate(zip(self.levels, features, strict=True)):
            coarse = level(state, coordinates).unflatten(1, (grid, grid))
            matrix = resize_matrix(grid, grid * 2**index, coarse)
            levels.append(resize(coarse, matrix) if index else coarse)
        return levels

    def _embed(self, levels: list[Tensor], boxes: Tensor, images: Tensor) -> Tensor:
        config = self.config
        cell = config.vision_config.patch_size
        boxes = boxes.clamp(0, config.grid * cell)
        crops = crop_regions(
            levels,
            boxes,
            images,
            cell=cell,
            size=config.roi_size,
            sampling_ratio=config.roi_sampling_ratio,
        )
        fused = convolve(self.crop_conv, crops).relu()  # [K, R, R, C]
        embeddings = self.flatten(fused.flatten(1))  # [K, C]
        if self.box_embedding is not None:
            parts = (boxes / config.image_size).to(embeddings.dtype)
            embeddings = embeddings + self.box_embedding(parts)
        return self.output(embeddings)

"""A tiny vision tower that knows a build's categories, trained by dense labels.

A linear head says for each patch what lies there; it is not saved.
"""

from collections import defaultdict

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.config import RegionConfig
from model.image_processor import RegionImageProcessor
from model.picture import read_picture
from model.vision import VisionTower
from train.data.pictures import picture_bytes
from train.data.rows import Row, ShardRows
from train.stage0.dense import Categories
from train.stage0.fitting import Fitting, Progress, fit

_WAVE = 0.1  # the size of positions at the start; that of patches is about 0.3


class DenseTower(nn.Module):
    """A vision tower, and a head over the deepest of the layers that a connector takes."""

    def __init__(self, config: RegionConfig, labels: int) -> None:
        super().__init__()
        self.tower = VisionTower(config)
        layers = self.tower.layers
        self.deepest = layers.index(max(layers))
        self.norm = nn.LayerNorm(config.vision_config.hidden_size)
        self.head = nn.Linear(config.vision_config.hidden_size, labels)
        start_positions(self.tower, config.grid)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the logits [N, P, labels] of each patch."""
        logits: Tensor = self.head(self.norm(self.tower(pixels)[self.deepest]))
        return logits


@torch.no_grad()
def start_positions(tower: VisionTower, grid: int) -> None:
    """Start the embeddings of positions as waves along x and y, so that neighbours are alike."""
    weight = tower.model.embeddings.position_embedding.weight
    quarter = weight.shape[1] // 4
    rates = 100.0 ** -(torch.arange(quarter) / quarter)
    angles = torch.arange(grid)[:, None] * rates
    waves = _WAVE * torch.cat([angles.sin(), angles.cos()], dim=1)  # [grid, half the width]
    down, across = waves[:, None].expand(-1, grid, -1), waves[None].expand(grid, -1, -1)
    weight.zero_()
    weight[tower.class_tokens :, : 4 * quarter] = torch.cat([down, across], dim=-1).flatten(0, 1)


def train_tower(
    config: RegionConfig,
    rows: ShardRows,
    categories: Categories,
    fitting: Fitting,
    progress: Progress,
) -> DenseTower:
    """Return a vision tower with its head, trained on the pictures of a build.

    Args:
        config: of the model whose tower it is.
        rows: of the build; see `finest` for those that it is trained on.
        categories: of the build.
        fitting: see there.
        progress: called after each step.
    """
    processor = RegionImageProcessor.from_config(config)
    usable = finest(rows)
    torch.manual_seed(fitting.seed)
    model = DenseTower(config, len(categories))

    def loss_of(numbers: list[int]) -> Tensor:
        made = [_labelled(rows[usable[number]], processor, categories) for number in numbers]
        pixels, labels = (torch.from_numpy(np.stack(part)) for part in zip(*made, strict=True))
        return functional.cross_entropy(model(pixels).flatten(0, 1), labels.flatten())

    ids = rows.ids()
    fit(model, [ids[number] for number in usable], fitting, loss_of, progress)
    return model


def finest(rows: ShardRows) -> list[int]:
    """Return the numbers of the rows with categories, of the source that tells most of them apart.

    Another source may call by one name what this one tells apart, as "star" the "red star", and
    nothing in a picture says which names it is labelled with.
    """
    seen: defaultdict[str, set[str]] = defaultdict(set)
    described = list(zip(rows.configs(), rows.categories(), strict=True))
    for config, names in described:
        seen[config].update(names)
    most = max(sorted(seen), key=lambda config: len(seen[config]), default="")
    return [n for n, (config, names) in enumerate(described) if config == most and names]


def _labelled(
    row: Row, processor: RegionImageProcessor, categories: Categories
) -> tuple[np.ndarray, np.ndarray]:
    content = picture_bytes(row, None)
    assert content is not None  # it has regions
    pixels, frame = processor.fit(read_picture(content))
    return pixels, categories.dense(row, frame, processor.grid)

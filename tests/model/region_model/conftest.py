"""Tiny models, and batches for them that are made here, row by row, without a processor."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from model.config import IMAGE_END_ID, IMAGE_ID, IMAGE_START_ID, REGION_ID
from model.presets import tiny_regiongpt
from model.region_inputs import Regions
from model.region_model import (
    GPT4RoIForConditionalGeneration,
    RegionGPTForConditionalGeneration,
    RegionModel,
)
from tests.small_models import small_gpt4roi

FAMILIES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "gpt4roi": (GPT4RoIForConditionalGeneration, small_gpt4roi, {}),
    "boundaries": (GPT4RoIForConditionalGeneration, small_gpt4roi, {"image_boundaries": True}),
    "regiongpt": (RegionGPTForConditionalGeneration, tiny_regiongpt, {}),
    "siglip": (
        RegionGPTForConditionalGeneration,
        tiny_regiongpt,
        {"tower": "siglip_vision_model", "refinement": "none"},
    ),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a batch: text with words "image" and region numbers among its token ids.

    For instance [1, "image", 7, "region0", 9]: each "image" is the next of `pictures`, and
    "region0" the first of `boxes`, each of which belongs to the row's first picture.
    """

    text: Sequence[int | str]
    pictures: Sequence[Tensor] = ()  # each [3, S, S]
    boxes: Sequence[tuple[int, int, int, int]] = field(default=())  # pixels of the picture


@pytest.fixture(scope="session", params=["boundaries", "regiongpt", "siglip"])
def model(request: pytest.FixtureRequest) -> RegionModel:
    """A model of each kind in float64, not to be changed."""
    return make_model(request.param)


@pytest.fixture(scope="session")
def fresh() -> Callable[..., RegionModel]:
    """A function that makes a model of a kind, free to be changed."""
    return make_model


@pytest.fixture(scope="session")
def rows() -> list[Row]:
    """Ragged rows: with regions, also one named twice; two pictures; no region; text alone."""
    torch.manual_seed(1)
    first, second, third, fourth = torch.randn(4, 3, 56, 56, dtype=torch.float64)
    boxes = [(0, 0, 56, 28), (14, 7, 30, 56), (42, 42, 49, 56)]
    text: list[int | str] = [1, "image", 5, "region1", 6, "region0", 8, 9, "region1", 7]
    return [
        Row(text=text, pictures=[first], boxes=boxes[:2]),
        Row(text=[1, 17, 18, 19]),
        Row(
            text=[1, 4, "image", 21, "image", 3, "region0", 2],
            pictures=[second, third],
            boxes=boxes[2:],
        ),
        Row(text=["image", 33, 34, 35, 36, 37], pictures=[fourth]),
    ]


@pytest.fixture(scope="session")
def make_batch() -> Callable[..., dict[str, Tensor]]:
    """A function that makes the batch of rows, padded on a side."""
    return batch_of


@pytest.fixture(scope="session")
def reference_embeds() -> Callable[[RegionModel, Row], Tensor]:
    """A function that returns the embeddings of one row, written token by token."""
    return embeds_of


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with torch.random.fork_rng():
        yield


def make_model(kind: str, **changes: Any) -> RegionModel:
    torch.manual_seed(0)
    family, preset, shape = FAMILIES[kind]
    model: RegionModel = family(preset(**shape, **changes)).double().eval()
    for weight in model.language_model.model.layers.parameters():
        if weight.ndim == 2:
            weight.data.mul_(8)  # so that the words before the last one matter too
    return model


def ids_of(model: RegionModel, row: Row) -> list[int]:
    """The token ids of a row, each placeholder repeated as often as it has vectors."""
    image = [IMAGE_ID] * model.config.image_tokens
    if getattr(model.config, "image_boundaries", False):
        image = [IMAGE_START_ID, *image, IMAGE_END_ID]
    ids: list[int] = []
    for word in row.text:
        if isinstance(word, int):
            ids.append(word)
        else:
            ids.extend(image if word == "image" else [REGION_ID])
    return ids


def batch_of(model: RegionModel, rows: Sequence[Row], side: str | None = None) -> dict[str, Tensor]:
    """The tensors of a batch, padded with id 0 on the left or right."""
    all_ids = [ids_of(model, row) for row in rows]
    length = max(map(len, all_ids))
    padding = [[0] * (length - len(ids)) for ids in all_ids]
    joined = zip(padding, all_ids, strict=True)
    ids = torch.tensor([pad + row if side == "left" else row + pad for pad, row in joined])
    flat = ids.flatten()
    batch = {"input_ids": ids}
    if side is not None:
        lengths = torch.tensor([[len(row)] for row in all_ids])
        columns = torch.arange(length)
        seen = columns >= length - lengths if side == "left" else columns < lengths
        batch["attention_mask"] = seen.long()
    pictures = [picture for row in rows for picture in row.pictures]
    if pictures:
        batch["pixel_values"] = torch.stack(pictures)
        batch["image_positions"] = (flat == IMAGE_ID).nonzero()[:, 0]
        if getattr(model.config, "image_boundaries", False):
            marks = (flat == IMAGE_START_ID) | (flat == IMAGE_END_ID)
            batch["boundary_positions"] = marks.nonzero()[:, 0]
    if any(row.boxes for row in rows):
        batch["region_positions"] = (flat == REGION_ID).nonzero()[:, 0]
        batch |= regions_of(model, rows)
    return batch


def regions_of(model: RegionModel, rows: Sequence[Row]) -> dict[str, Tensor]:
    """The tensors of a batch's regions in the model's form, and which of them go where."""
    in_boxes = model.config.model_type == "gpt4roi"
    most = max(len(row.boxes) for row in rows)
    boxes: list[tuple[int, int, int, int]] = []
    images: list[int] = []
    indices: list[int] = []
    pictures = 0
    for row in rows:
        first = len(boxes) if in_boxes else pictures * most
        named = [int(word[6:]) for word in row.text if isinstance(word, str) and word != "image"]
        indices.extend(first + number for number in named)
        boxes.extend(row.boxes)
        images.extend([pictures] * len(row.boxes))
        pictures += len(row.pictures)
    batch = {"region_indices": torch.tensor(indices)}
    if in_boxes:
        batch["region_boxes"] = torch.tensor(boxes).double()
        batch["region_images"] = torch.tensor(images)
        return batch
    grid = model.config.region_grid
    weights = torch.zeros(pictures, most, grid, grid, dtype=torch.float64)
    for number, (image, box) in enumerate(zip(images, boxes, strict=True)):
        weights[image, number - images.index(image)] = cells_of(model, box)
    return batch | {"region_weights": weights}


def cells_of(model: RegionModel, box: tuple[int, int, int, int]) -> Tensor:
    """The cells that a box covers, each by its part: pixels of the picture are counted."""
    x0, y0, x1, y1 = box
    side = model.config.image_size
    pixels = torch.zeros(1, 1, side, side, dtype=torch.float64)
    pixels[..., y0:y1, x0:x1] = 1
    grid = model.config.region_grid
    return torch.nn.functional.interpolate(pixels, size=(grid, grid), mode="area")[0, 0]


def embeds_of(model: RegionModel, row: Row) -> Tensor:
    """The embeddings of one row [T, D], with each picture and region encoded by itself."""
    config = model.config
    table = model.language_model.get_input_embeddings().weight
    vectors: list[Tensor] = []
    pictures = iter(row.pictures)
    for word in row.text:
        if isinstance(word, int):
            vectors.append(table[word])
        elif word == "image":
            tokens = encoded(model, next(pictures), None)
            if getattr(config, "image_boundaries", False):
                start, end = model.connector.image_start, model.connector.image_end
                tokens = torch.stack([start, *tokens, end])
            vectors.extend(tokens)
        else:
            vectors.append(encoded(model, row.pictures[0], row.boxes[int(word[6:])])[0])
    return torch.stack(vectors)


def encoded(model: RegionModel, picture: Tensor, box: tuple[int, int, int, int] | None) -> Tensor:
    """The tokens of a picture, or of one region of it, from transformers' hidden states."""
    config = model.config
    states = model.vision_tower.model(picture[None], output_hidden_states=True).hidden_states
    first = int(config.vision_config.model_type == "clip_vision_model")
    features = tuple(states[layer][:, first:] for layer in config.feature_layers)
    if box is None:
        tokens: Tensor = model.connector(features, None)[0][0]
        return tokens[1:-1] if len(tokens) > config.image_tokens else tokens
    if config.model_type == "gpt4roi":
        boxes = torch.tensor([box], dtype=torch.float64)
        regions = Regions(boxes=boxes, images=torch.tensor([0]))
    else:
        regions = Regions(weights=cells_of(model, box)[None, None])
    region: Tensor = model.connector(features, regions)[1]
    return region

"""The joining of rows to a batch: padded or packed ids, and the flat positions of placeholders.

A model scatters and gathers by these positions, so that it never searches its ids on a GPU.

    B rows of the batch, T positions of a row; the flat position of row b, column t is b * T + t
    N pictures, in the order of rows; S pixels a side, P image tokens of each
    K regions of all pictures, R most regions of a picture, M region tokens, G cells a side
    L supervised tokens
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BatchFeature

from model.config import IGNORED, IMAGE_END_ID, IMAGE_ID, IMAGE_START_ID, REGION_ID

# Rows padded at an end to the longest, or one after another in a single row.
Arrangement = Literal["left", "right", "packed"]
Normalised = Callable[[Sequence[NDArray[np.uint8]]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A row, ready to be joined with others."""

    input_ids: list[int]  # with placeholders, at their final length
    labels: list[int] | None = None  # IGNORED where there is no loss; None: not for training
    pixels: NDArray[np.uint8] | None = None  # [S, S, 3] of the model's picture, not normalised
    region_boxes: NDArray[np.float32] | None = None  # [K, 4], xyxy, pixels of the model's picture
    region_weights: NDArray[np.float32] | None = None  # [K, G, G], covered share of each cell
    region_tokens: tuple[int, ...] = ()  # the region of each region token, from 0
    dropped_turns: int = 0  # answers left out at the end, as the row was too long


class RegionBatch(BatchFeature):
    """The input of a model, as transformers' processors return theirs."""

    _EXACT = ("region_boxes", "region_weights")

    def to(self, *args: Any, **kwargs: Any) -> "RegionBatch":
        """Move all tensors, and cast the pixels; regions stay float32.

        bfloat16 would move the corner of a box by a pixel and more.
        """
        exact = {name: self[name] for name in self._EXACT if name in self}
        super().to(*args, **kwargs)
        for name, tensor in exact.items():
            self[name] = tensor.to(self["input_ids"].device)
        return self


def join(
    examples: Sequence[Example], pad_id: int, arrangement: Arrangement, normalised: Normalised
) -> RegionBatch:
    """Return the batch of examples.

    Padded rows come with an attention mask where they have no labels; training needs none, because
    no token sees what stands to its right.

    Args:
        examples: the rows.
        pad_id: the id that fills padded rows.
        arrangement: see there.
        normalised: normalises all pictures [S, S, 3], as one array [N, 3, S, S].
    """
    if not examples:
        raise ValueError("no rows, expected one at least")
    lengths = [len(example.input_ids) for example in examples]
    packed = arrangement == "packed"
    rows, columns = (1, sum(lengths)) if packed else (len(lengths), max(lengths))
    starts = _starts(lengths, columns, arrangement)
    ids = _flat([example.input_ids for example in examples], starts, rows * columns, pad_id)
    batch: dict[str, NDArray[Any]] = {"input_ids": ids.reshape(rows, columns)}
    labels = [example.labels for example in examples if example.labels is not None]
    if labels:
        batch |= _supervision(_flat(labels, starts, rows * columns, IGNORED), (rows, columns))
    if packed:
        batch["position_ids"] = np.concatenate([np.arange(length) for length in lengths])[None]
        batch["segment_offsets"] = np.cumsum([0, *lengths], dtype=np.int32)
    elif not labels:
        present = _flat([[1] * length for length in lengths], starts, rows * columns, 0)
        batch["attention_mask"] = present.reshape(rows, columns)
    batch |= _pictures(examples, ids, normalised)
    batch |= _regions(examples, ids)
    return RegionBatch({name: torch.from_numpy(array) for name, array in batch.items()})


def _starts(lengths: Sequence[int], columns: int, arrangement: Arrangement) -> list[int]:
    """Return the flat position of each example's first token."""
    if arrangement == "packed":
        return [0, *np.cumsum(lengths[:-1]).tolist()]
    left = arrangement == "left"
    return [row * columns + left * (columns - length) for row, length in enumerate(lengths)]


def _flat(
    sequences: Sequence[Sequence[int]], starts: Sequence[int], size: int, fill: int
) -> NDArray[np.int64]:
    flat = np.full(size, fill, np.int64)
    for sequence, start in zip(sequences, starts, strict=True):
        flat[start : start + len(sequence)] = sequence
    return flat


def _supervision(labels: NDArray[np.int64], shape: tuple[int, int]) -> dict[str, NDArray[np.int64]]:
    """Return labels [B, T], the positions [L] whose next token has a label, and those labels [L].

    No row begins with a label, so the token after a row's last has none.
    """
    positions = np.flatnonzero(labels[1:] != IGNORED)
    targets = labels[positions + 1]
    return {"labels": labels.reshape(shape), "loss_positions": positions, "loss_targets": targets}


def _pictures(
    examples: Sequence[Example], ids: NDArray[np.int64], normalised: Normalised
) -> dict[str, NDArray[Any]]:
    pixels = [example.pixels for example in examples if example.pixels is not None]
    if not pixels:
        return {}
    inputs: dict[str, NDArray[Any]] = {
        "pixel_values": normalised(pixels),
        "image_positions": np.flatnonzero(ids == IMAGE_ID),
    }
    boundaries = np.flatnonzero((ids == IMAGE_START_ID) | (ids == IMAGE_END_ID))
    return inputs | ({"boundary_positions": boundaries} if len(boundaries) else {})


def _regions(examples: Sequence[Example], ids: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """Return the regions of all pictures, and for each region token its row of the connector."""
    pictured = [example for example in examples if example.pixels is not None]
    counts = [_count(example) for example in pictured]
    if not any(counts):
        return {}
    inputs: dict[str, NDArray[Any]]
    boxes = [example.region_boxes for example in pictured if example.region_boxes is not None]
    if boxes:
        images = np.repeat(np.arange(len(pictured)), counts)
        inputs = {"region_boxes": np.concatenate(boxes), "region_images": images}
        inputs["region_pictures"] = np.flatnonzero(counts)
        first_rows = [0, *np.cumsum(counts[:-1]).tolist()]
    else:
        inputs = {"region_weights": _stacked(pictured, max(counts))}
        first_rows = [number * max(counts) for number in range(len(pictured))]
    rows = [
        first_row + region
        for example, first_row in zip(pictured, first_rows, strict=True)
        for region in example.region_tokens
    ]
    positions = np.flatnonzero(ids == REGION_ID)
    return inputs | {"region_positions": positions, "region_indices": np.array(rows, np.int64)}


def _count(example: Example) -> int:
    regions = example.region_weights if example.region_boxes is None else example.region_boxes
    return 0 if regions is None else len(regions)


def _stacked(pictured: Sequence[Example], most: int) -> NDArray[np.float32]:
    """Return the weights [N, R, G, G] of all regions, zero where a picture has fewer than R."""
    filled = [example.region_weights for example in pictured]
    grid = next(weights.shape[-1] for weights in filled if weights is not None)
    stacked = np.zeros((len(pictured), most, grid, grid), np.float32)
    for weights, room in zip(filled, stacked, strict=True):
        if weights is not None:
            room[: len(weights)] = weights
    return stacked

"""The joining of rows to a batch: padded or packed ids, and the flat positions of placeholders.

A model scatters and gathers by these positions, so that it never searches its ids on a GPU.

    B rows of the batch, T positions of a row; the flat position of row b, column t is b * T + t
    N pictures, in the order of rows; S pixels a side, P image tokens of each
    K regions of all pictures, R most regions of a picture, M region tokens, G cells a side
    L supervised tokens

Rows for training that are packed, and all begin with the same words, have these once: they are the
first segment, and the keys of each other segment are theirs, then its tokens' own.

    P tokens that all rows begin with; S keys of all segments
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import BatchFeature

from model.config import IGNORED, IMAGE_END_ID, IMAGE_ID, IMAGE_START_ID, REGION_ID

# Rows padded at an end to the longest, or one after another in a single row.
Arrangement = Literal["left", "right", "packed"]
_FEWEST_SHARED = 8  # tokens; fewer are not worth to gather keys
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
    packed = arrangement == "packed"
    shared = shared_tokens(examples) if packed else 0
    sequences = _segments([example.input_ids for example in examples], shared)
    lengths = [len(sequence) for sequence in sequences]
    rows, columns = (1, sum(lengths)) if packed else (len(lengths), max(lengths))
    starts = _starts(lengths, columns, arrangement)
    ids = _flat(sequences, starts, rows * columns, pad_id)
    batch: dict[str, NDArray[Any]] = {"input_ids": ids.reshape(rows, columns)}
    labels = [example.labels for example in examples if example.labels is not None]
    labels = _segments(labels, shared)
    if labels:
        batch |= _supervision(_flat(labels, starts, rows * columns, IGNORED), (rows, columns))
    if packed:
        batch |= _offsets(lengths, shared)
    elif not labels:
        present = _flat([[1] * length for length in lengths], starts, rows * columns, 0)
        batch["attention_mask"] = present.reshape(rows, columns)
    batch |= _pictures(examples, ids, normalised)
    batch |= _regions(examples, ids)
    return RegionBatch({name: torch.from_numpy(array) for name, array in batch.items()})


def shared_tokens(examples: Sequence[Example]) -> int:
    """Return the number P of tokens that all rows for training begin with; 0 if they are few.

    They end before a placeholder, and early enough that each row's first label is predicted by a
    token of its own.
    """
    if len(examples) < 2:
        return 0
    beginnings = [example.input_ids[: _unlabelled(example)] for example in examples]
    columns = zip(*beginnings, strict=False)  # the shortest one decides
    same = takewhile(lambda column: column[0] >= 0 and len(set(column)) == 1, columns)
    count = sum(1 for _ in same)
    return count if count >= _FEWEST_SHARED else 0


def _unlabelled(example: Example) -> int:
    """Return the number of tokens before the one that predicts the first label."""
    if example.labels is None:
        return 0
    columns = (column for column, label in enumerate(example.labels) if label != IGNORED)
    return max(0, next(columns, len(example.labels)) - 1)


def _segments(sequences: list[list[int]], shared: int) -> list[list[int]]:
    """Return the first tokens of all sequences, then the rest of each; without any, the same."""
    if not shared:
        return sequences
    return [sequences[0][:shared], *(sequence[shared:] for sequence in sequences)]


def _offsets(lengths: Sequence[int], shared: int) -> dict[str, NDArray[Any]]:
    """Return the places of a packed row's tokens, and which keys they see where some are shared.

    Returns:
        `position_ids` [1, T] in each example; `segment_offsets` [N + 1] int32, the first token of
        each segment, and T; `key_offsets` [N + 1] int32, its first key, and S; `key_positions` [S],
        the position in the packed row of each key.
    """
    offsets = np.cumsum([0, *lengths], dtype=np.int32)
    before = [0, *[shared] * (len(lengths) - 1)]  # tokens that come before a segment's own
    positions = [np.arange(count) + start for count, start in zip(lengths, before, strict=True)]
    made: dict[str, NDArray[Any]] = {"segment_offsets": offsets}
    made["position_ids"] = np.concatenate(positions)[None]
    if not shared:
        return made
    first = np.arange(shared)
    keys = [first, *(np.r_[first, start:stop] for start, stop in pairwise(offsets[1:]))]
    counts = [0, *map(len, keys)]
    return made | {
        "key_offsets": np.cumsum(counts, dtype=np.int32),
        "key_positions": np.concatenate(keys).astype(np.int64),
    }


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

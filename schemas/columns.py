"""Rows to record batches: Arrow columns are filled directly, never through rows of dicts.

Image bytes are read straight into the buffer that becomes the image column, so that between the
owner's file and the shard they are copied once. A batch is a pure function of its rows.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import pyarrow as pa

from schemas import shard
from schemas.mask import Mask
from schemas.sample import Conversation, Region


@dataclass(kw_only=True, frozen=True, slots=True)
class BuildStamp:
    """What every row of a build says of the build."""

    builder: str
    recipe: str
    seed: int


@dataclass(kw_only=True, frozen=True, slots=True)
class Row:
    """One record as it will be stored, its image bytes aside."""

    source: str
    split: str
    path: str | None  # None: text only
    width: int | None  # of the stored image, pixels
    height: int | None
    licence: str
    conversation: Conversation


class ImageColumn:
    """The bytes of a batch's images, back to back in one buffer that is used again and again."""

    def __init__(self, capacity: int) -> None:
        self._buffer = np.empty(capacity, dtype=np.uint8)
        self._ends = [0]
        self._present: list[bool] = []

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._ends[-1]

    def room(self, size: int) -> memoryview:
        """Return a writable view of `size` bytes past the end; `commit` makes it an image."""
        end = self.size + size
        if end > len(self._buffer):
            grown = np.empty(max(end, 2 * len(self._buffer)), dtype=np.uint8)
            grown[: self.size] = self._buffer[: self.size]
            self._buffer = grown
        return self._buffer.data[self.size : end]

    def commit(self, size: int) -> None:
        """Take the first `size` bytes of the room last given as the next image."""
        self._ends.append(self.size + size)
        self._present.append(True)

    def last(self) -> memoryview:
        """Return the bytes of the last image; they stay until the column is filled again."""
        start, end = self._ends[-2:]
        return self._buffer.data[start:end]

    def skip(self) -> None:
        """Add a null."""
        self._ends.append(self.size)
        self._present.append(False)

    def array(self) -> pa.Array:
        """Return the images as a binary array over the buffer itself."""
        ends = pa.py_buffer(np.array(self._ends, dtype=np.int32))
        values = pa.py_buffer(self._buffer[: self.size])
        present = None if all(self._present) else pa.array(self._present).buffers()[1]
        return pa.Array.from_buffers(pa.binary(), len(self._present), [present, ends, values])

    def clear(self) -> None:
        """Forget the images; arrays over the buffer must have been written by now."""
        self._ends = [0]
        self._present = []


def to_batch(rows: Sequence[Row], images: pa.Array | None, stamp: BuildStamp) -> pa.RecordBatch:
    """Return the record batch of rows.

    Args:
        rows: in order.
        images: one binary value per row, null for text-only rows; None where rows only refer to
            their images.
        stamp: of the build.
    """
    columns: dict[str, pa.Array] = {
        "id": _strings(row.conversation.id for row in rows),
        "source": _strings(row.source for row in rows),
        "split": _strings(row.split for row in rows),
        "task": _strings(row.conversation.task for row in rows),
        "turn_tasks": _lists(_strings, [row.conversation.turn_tasks for row in rows]),
        "image": _images(rows, images),
        "width": pa.array([row.width for row in rows], pa.int32()),
        "height": pa.array([row.height for row in rows], pa.int32()),
        "regions": _lists(_regions, [row.conversation.regions for row in rows]),
        "messages": _lists(_messages, [row.conversation.messages for row in rows]),
        "evaluation": _evaluations(rows),
        "licence": _strings(row.licence for row in rows),
        "provenance": _provenance(rows, stamp),
    }
    return pa.record_batch([columns[name] for name in shard.SCHEMA.names], schema=shard.SCHEMA)


def _strings(values: Iterable[str | None]) -> pa.Array:
    return pa.array(list(values), pa.string())


def _lists(build: Callable[[list[Any]], pa.Array], groups: Sequence[Sequence[Any]]) -> pa.Array:
    ends = pa.array([0, *accumulate(map(len, groups))], pa.int32())
    return pa.ListArray.from_arrays(ends, build([item for group in groups for item in group]))


def _struct(kind: pa.StructType, values: list[pa.Array], absent: list[bool]) -> pa.Array:
    mask = pa.array(absent, pa.bool_()) if any(absent) else None
    return pa.StructArray.from_arrays(values, fields=list(kind), mask=mask)


def _images(rows: Sequence[Row], images: pa.Array | None) -> pa.Array:
    paths = _strings(row.path for row in rows)
    content = pa.nulls(len(rows), pa.binary()) if images is None else images
    return _struct(shard.IMAGE, [content, paths], [row.path is None for row in rows])


def _messages(messages: list[Any]) -> pa.Array:
    roles = _strings(message.role for message in messages)
    contents = _strings(message.content for message in messages)
    return _struct(shard.MESSAGE, [roles, contents], [])


def _regions(regions: list[Region]) -> pa.Array:
    corners = np.array([region.bbox for region in regions], dtype=np.float32).reshape(-1)
    return _struct(
        shard.REGION,
        [
            _strings(region.region_id for region in regions),
            pa.FixedSizeListArray.from_arrays(pa.array(corners), 4),
            _masks([region.mask for region in regions]),
            _strings(region.category for region in regions),
            _strings(region.caption for region in regions),
            pa.array([region.score for region in regions], pa.float32()),
        ],
        [],
    )


def _masks(masks: list[Mask | None]) -> pa.Array:
    sizes = np.array(
        [(mask.height, mask.width) if mask else (0, 0) for mask in masks], dtype=np.int32
    ).reshape(-1)
    counts = _strings(mask.counts if mask else None for mask in masks)
    size_list = pa.FixedSizeListArray.from_arrays(pa.array(sizes), 2)
    return _struct(shard.MASK, [size_list, counts], [mask is None for mask in masks])


def _evaluations(rows: Sequence[Row]) -> pa.Array:
    found = [row.conversation.evaluation for row in rows]
    if not any(found):
        return pa.nulls(len(rows), shard.EVALUATION)
    return pa.array(
        [
            item
            and {
                "item_id": item.item_id,
                "group": item.group,
                "references": item.references,
                "choices": item.choices,
                "label": item.label,
            }
            for item in found
        ],
        shard.EVALUATION,
    )


def _provenance(rows: Sequence[Row], stamp: BuildStamp) -> pa.Array:
    captioners = [row.conversation.captioner for row in rows]
    return _struct(
        shard.PROVENANCE,
        [
            _strings([stamp.builder] * len(rows)),
            _strings([stamp.recipe] * len(rows)),
            _lists(_strings, [row.conversation.prompts for row in rows]),
            pa.array([stamp.seed] * len(rows), pa.int64()),
            _strings(by.model if by else None for by in captioners),
            _strings(by.sampling if by else None for by in captioners),
            _strings(by.global_caption if by else None for by in captioners),
        ],
        [],
    )

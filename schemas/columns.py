"""The conversion of rows to record batches: Arrow columns are filled directly, without dicts.

Image bytes are read directly into the buffer that becomes the image column, so that between the
owner's file and the shard they are copied once. A batch is a pure function of its rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas import shard
from schemas.item import Attribute, RegionCaption
from schemas.mask import Mask
from schemas.sample import Conversation, Evaluation, ImageInfo, Region, Task

Size = tuple[int | None, int | None]  # width, height; pixels


@dataclass(kw_only=True, frozen=True, slots=True)
class BuildStamp:
    """The provenance that all rows of a build share."""

    builder: str
    recipe: str
    seed: int


class Row(NamedTuple):
    """One record as it is stored, without the bytes of its image."""

    image: ImageInfo
    path: str | None  # as stored; None: text only
    conversation: Conversation
    size: Size  # width and height of the stored image, pixels; None for text only
    image_hash: str | None = None


class ImageColumn:
    """The bytes of a batch's images, one after another in a buffer that all batches reuse."""

    def __init__(self, capacity: int) -> None:
        self._buffer = np.empty(capacity, dtype=np.uint8)
        self._ends = [0]
        self._present: list[bool] = []

    @property
    def size(self) -> int:
        """The number of bytes of all images."""
        return self._ends[-1]

    def room(self, size: int) -> memoryview:
        """Return a writable view of `size` bytes after the last image; `commit` adds an image."""
        end = self.size + size
        if end > len(self._buffer):
            grown = np.empty(max(end, 2 * len(self._buffer)), dtype=np.uint8)
            grown[: self.size] = self._buffer[: self.size]
            self._buffer = grown
        return self._buffer.data[self.size : end]

    def commit(self, size: int) -> None:
        """Add the first `size` bytes of the last `room` as the next image."""
        self._ends.append(self.size + size)
        self._present.append(True)

    def last(self) -> memoryview:
        """Return the bytes of the last image; they are valid until the column is filled again."""
        start, end = self._ends[-2:]
        return self._buffer.data[start:end]

    def skip(self) -> None:
        """Add a null, for a row without an image."""
        self._ends.append(self.size)
        self._present.append(False)

    def array(self) -> pa.Array:
        """Return the images as a binary array over the buffer itself."""
        ends = pa.py_buffer(np.array(self._ends, dtype=np.int32))
        values = pa.py_buffer(self._buffer[: self.size])
        present = None if all(self._present) else pa.array(self._present).buffers()[1]
        return pa.Array.from_buffers(pa.binary(), len(self._present), [present, ends, values])

    def clear(self) -> None:
        """Remove all images; arrays over the buffer must already be written."""
        self._ends = [0]
        self._present = []


def to_batch(
    rows: Sequence[Row], stamp: BuildStamp, images: pa.Array | None = None
) -> pa.RecordBatch:
    """Return the record batch of rows.

    Args:
        rows: the rows.
        stamp: the provenance that they share.
        images: one binary value per row, null for text-only rows; None: rows keep only paths.
    """
    if images is None:
        images = pa.nulls(len(rows), pa.binary())
    talks = [row.conversation for row in rows]
    paths = [row.path for row in rows]
    columns: dict[str, pa.Array] = {
        "id": _strings([talk.id for talk in talks]),
        "source": _strings([row.image.source for row in rows]),
        "split": _strings([row.image.split for row in rows]),
        "task": _strings([talk.task for talk in talks]),
        "turn_tasks": _lists(_strings, [talk.turn_tasks for talk in talks]),
        "image": _images(images, _strings(paths)),
        "width": _integers([row.size[0] for row in rows]),
        "height": _integers([row.size[1] for row in rows]),
        "image_hash": _strings([row.image_hash for row in rows]),
        "regions": _lists(_regions, [talk.regions for talk in talks]),
        "messages": _lists(_messages, [talk.messages for talk in talks]),
        "evaluation": _lists(_evaluations, [talk.evaluation for talk in talks]),
        "licence": _strings([row.image.licence for row in rows]),
        "provenance": _provenance(talks, stamp),
    }
    return pa.record_batch([columns[name] for name in shard.SCHEMA.names], schema=shard.SCHEMA)


def caption_counts(batch: pa.RecordBatch) -> tuple[int, int]:
    """Return the numbers of detailed captions, and of their words, in the turns of a batch.

    A region has its caption in other records too, but one record describes all regions of an image.
    """
    tasks = batch.column("turn_tasks")
    described = pc.equal(pc.list_flatten(tasks), Task.REGION_DETAILED_CAPTION)
    rows = pc.list_parent_indices(tasks).filter(described).unique()
    captions = pc.list_flatten(batch.column("regions").take(rows)).field("caption").drop_null()
    words = pc.list_value_length(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(captions)))
    return len(captions), pc.sum(words).as_py() or 0


def turn_counts(batch: pa.RecordBatch) -> dict[str, tuple[int, int]]:
    """Return the numbers of assistant turns, and of their words, by task."""
    by_task = _answers(batch).group_by("task", use_threads=False)
    counts = by_task.aggregate([("words", "count"), ("words", "sum")])
    return {row["task"]: (row["words_count"], row["words_sum"]) for row in counts.to_pylist()}


def _answers(batch: pa.RecordBatch) -> pa.Table:
    """Return the task and the number of words of each assistant turn."""
    messages = pc.list_flatten(batch.column("messages"))
    answers = messages.field("content").filter(pc.equal(messages.field("role"), "assistant"))
    words = pc.list_value_length(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(answers)))
    return pa.table({"task": pc.list_flatten(batch.column("turn_tasks")), "words": words})


def category_counts(batch: pa.RecordBatch) -> dict[str, int]:
    """Return the number of regions of each category in a batch, by the category's name."""
    names = pc.list_flatten(batch.column("regions")).field("category").drop_null()
    counts = pc.value_counts(names)
    return dict(
        zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)
    )


def answer_lengths(batch: pa.RecordBatch) -> dict[tuple[str, int], int]:
    """Return the number of assistant turns by their task and their number of words."""
    groups = _answers(batch).group_by(["task", "words"], use_threads=False)
    counts = groups.aggregate([("words", "count")]).to_pylist()
    return {(row["task"], row["words"]): row["words_count"] for row in counts}


def regions_of(batch: pa.RecordBatch) -> list[list[Region]]:
    """Return the regions of every row."""
    return [[_region(region) for region in row] for row in batch.column("regions").to_pylist()]


def _region(fields: dict[str, Any]) -> Region:
    mask = fields["mask"]
    if mask is not None:
        mask = Mask(mask["size"][0], mask["size"][1], mask["counts"])
    captions = tuple(RegionCaption(**caption) for caption in fields["captions"])
    attributes = tuple(Attribute(**attribute) for attribute in fields["attributes"])
    inner = {"mask": mask, "captions": captions, "attributes": attributes}
    return Region(**fields | {"bbox": tuple(fields["bbox"])} | inner)


def _strings(values: Sequence[str | None]) -> pa.Array:
    return pa.array(values, pa.string())


def _floats(values: Sequence[float | None]) -> pa.Array:
    return pa.array(values, pa.float32())


def _integers(values: Sequence[int | None]) -> pa.Array:
    return pa.array(values, pa.int32())


def _lists(build: Callable[[list[Any]], pa.Array], groups: Sequence[Sequence[Any]]) -> pa.Array:
    ends = pa.array([0, *accumulate(map(len, groups))], pa.int32())
    return pa.ListArray.from_arrays(ends, build(list(chain.from_iterable(groups))))


def _struct(kind: pa.StructType, values: list[pa.Array], absent: list[bool]) -> pa.Array:
    mask = pa.array(absent, pa.bool_()) if any(absent) else None
    return pa.StructArray.from_arrays(values, fields=list(kind), mask=mask)


def _images(content: pa.Array, paths: pa.Array) -> pa.Array:
    absent = paths.is_null() if paths.null_count else None
    return pa.StructArray.from_arrays([content, paths], fields=list(shard.IMAGE), mask=absent)


def _messages(messages: list[Any]) -> pa.Array:
    roles = _strings([message.role for message in messages])
    contents = _strings([message.content for message in messages])
    return _struct(shard.MESSAGE, [roles, contents], [])


def _regions(regions: list[Region]) -> pa.Array:
    corners = np.fromiter(chain.from_iterable([region.bbox for region in regions]), np.float32)
    return _struct(
        shard.REGION,
        [
            _strings([region.region_id for region in regions]),
            pa.FixedSizeListArray.from_arrays(pa.array(corners), 4),
            _masks([region.mask for region in regions]),
            _floats([region.area for region in regions]),
            _strings([region.category for region in regions]),
            _floats([region.score for region in regions]),
            _strings([region.caption for region in regions]),
            _lists(_captions, [region.captions for region in regions]),
            _lists(_attributes, [region.attributes for region in regions]),
        ],
        [],
    )


def _captions(captions: list[RegionCaption]) -> pa.Array:
    return _struct(
        shard.CAPTION,
        [
            _strings([caption.kind for caption in captions]),
            _strings([caption.text for caption in captions]),
            _floats([caption.clip for caption in captions]),
            _floats([caption.clip_min for caption in captions]),
            _floats([caption.judge for caption in captions]),
        ],
        [],
    )


def _attributes(attributes: list[Attribute]) -> pa.Array:
    names = _strings([attribute.name for attribute in attributes])
    values = _strings([attribute.value for attribute in attributes])
    return _struct(shard.ATTRIBUTE, [names, values], [])


def _masks(masks: list[Mask | None]) -> pa.Array:
    sizes = [(mask.height, mask.width) if mask else (0, 0) for mask in masks]
    sides = np.fromiter(chain.from_iterable(sizes), np.int32)
    counts = _strings([mask.counts if mask else None for mask in masks])
    size_list = pa.FixedSizeListArray.from_arrays(pa.array(sides), 2)
    return _struct(shard.MASK, [size_list, counts], [mask is None for mask in masks])


def _evaluations(evaluations: list[Evaluation]) -> pa.Array:
    return _struct(
        shard.EVALUATION,
        [
            _integers([item.turn for item in evaluations]),
            _integers([item.position for item in evaluations]),
            _strings([item.item_id for item in evaluations]),
            _strings([item.group for item in evaluations]),
            _lists(_strings, [item.references for item in evaluations]),
            _lists(_strings, [item.choices for item in evaluations]),
            _integers([item.label for item in evaluations]),
        ],
        [],
    )


def _provenance(talks: Sequence[Conversation], stamp: BuildStamp) -> pa.Array:
    captioners = [talk.captioner for talk in talks]
    return _struct(
        shard.PROVENANCE,
        [
            _strings([stamp.builder] * len(talks)),
            _strings([stamp.recipe] * len(talks)),
            _lists(_strings, [talk.prompts for talk in talks]),
            pa.array([stamp.seed] * len(talks), pa.int64()),
            _strings([by.model if by else None for by in captioners]),
            _strings([by.sampling if by else None for by in captioners]),
            _strings([by.global_caption if by else None for by in captioners]),
            _strings([by.judge_model if by else None for by in captioners]),
            _strings([by.scorer if by else None for by in captioners]),
        ],
        [],
    )

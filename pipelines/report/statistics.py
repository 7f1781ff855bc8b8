"""Counts over all records of an output, in columns: no picture is read."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.shards.reader import DAMAGE, read_columns
from schemas.errors import InputFileError
from schemas.ids import image_of

_COLUMNS = ("id", "source", "turn_tasks", "width", "regions", "messages")
CLIP_BIN = 0.01  # width of the bins of CLIP similarities


@dataclass(slots=True)
class Statistics:
    """Counts that records are added to, batch by batch."""

    records: Counter[str] = field(default_factory=Counter)  # by source
    turns: Counter[str] = field(default_factory=Counter)  # by task
    words: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    regions_per_image: Counter[int] = field(default_factory=Counter)
    box_sides: Counter[int] = field(default_factory=Counter)  # by the power of 2 below the side
    categories: Counter[str] = field(default_factory=Counter)
    kept_clip: Counter[int] = field(default_factory=Counter)  # by bin
    rejected_clip: Counter[int] = field(default_factory=Counter)  # by bin
    _image: str = ""
    _regions: set[str] = field(default_factory=set)  # ids of the last image's regions

    def add(self, batch: pa.RecordBatch) -> None:
        """Add a batch of `_COLUMNS`."""
        self.records.update(batch.column("source").to_pylist())
        self._add_turns(batch)
        regions = batch.column("regions").flatten()
        self._add_images(batch, pc.struct_field(regions, "region_id"))
        self._add_boxes(pc.struct_field(regions, "bbox"))
        self.categories.update(pc.struct_field(regions, "category").drop_null().to_pylist())
        captions = pc.struct_field(regions, "captions").flatten()
        clip = pc.struct_field(captions, "clip").drop_null()
        self.kept_clip.update(map(clip_bin, clip.to_pylist()))

    def finish(self) -> None:
        """Count the last image, whose records may have been in several batches."""
        if self._image:
            self.regions_per_image[len(self._regions)] += 1
        self._image, self._regions = "", set()

    def _add_turns(self, batch: pa.RecordBatch) -> None:
        messages = batch.column("messages").flatten()
        answered = pc.equal(pc.struct_field(messages, "role"), "assistant")
        texts = pc.struct_field(messages, "content").filter(answered)
        words = pc.list_value_length(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(texts)))
        tasks = batch.column("turn_tasks").flatten().to_pylist()
        for task, number in zip(tasks, words.to_pylist(), strict=True):
            self.turns[task] += 1
            self.words[task][number] += 1

    def _add_images(self, batch: pa.RecordBatch, region_ids: pa.StringArray) -> None:
        ids = iter(region_ids.to_pylist())
        counts = pc.list_value_length(batch.column("regions"))
        columns = (batch.column("id"), batch.column("width"), counts)
        rows = zip(*(column.to_pylist() for column in columns), strict=True)
        for record_id, width, count in rows:
            image = image_of(record_id)
            if image != self._image:
                self.finish()
                self._image = "" if width is None else image
            self._regions.update(islice(ids, count or 0))

    def _add_boxes(self, boxes: pa.FixedSizeListArray) -> None:
        corners = boxes.flatten().to_numpy().reshape(-1, 4)
        areas = np.prod(corners[:, 2:] - corners[:, :2], axis=1)
        exponents = np.floor(np.log2(np.maximum(areas, 1)) / 2).astype(int)
        self.box_sides.update(exponents.tolist())


def clip_bin(clip: float) -> int:
    """Return the bin of a CLIP similarity, whose lower edge is the bin times `CLIP_BIN`."""
    return math.floor(clip / CLIP_BIN)


def counted_ids(
    paths: Iterable[str], statistics: Statistics
) -> Iterator[tuple[str, int, int, str]]:
    """Yield path, number of the batch, row and id of all records, which are counted on the way.

    Raises:
        InputFileError: a shard cannot be read.
    """
    for path in paths:
        try:
            for number, batch in enumerate(read_columns(path, _COLUMNS)):
                statistics.add(batch)
                for row, record_id in enumerate(batch.column("id").to_pylist()):
                    yield path, number, row, record_id
        except DAMAGE as error:
            raise InputFileError(
                f"cannot read the shard {path}: {error}. `regionforge verify` says more."
            ) from None
    statistics.finish()

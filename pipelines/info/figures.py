"""The figures of a build's records, counted in one pass over the shards, a batch at a time."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.output.reader import read_manifest
from pipelines.output.records import shard_columns
from schemas.columns import answer_lengths, category_counts
from schemas.ids import image_of
from schemas.manifest import Manifest, Shard

# The areas of boxes, square pixels, from which COCO's evaluation calls them medium and large.
_MEDIUM, _LARGE = 32**2, 96**2

_COLUMNS = ("id", "turn_tasks", "width", "height", "regions", "messages", "licence", "provenance")
_MAKERS = {  # of captions and scores: what they are called, by the field of `provenance`
    "captioner_model": "captioner",
    "judge_model": "judge",
    "scorer": "scorer",
}


class Spread(NamedTuple):
    """The spread of whole numbers."""

    least: int
    median: int
    mean: float
    most: int

    @classmethod
    def of(cls, counts: Counter[int]) -> Self | None:
        """Return the spread of numbers that are counted by value; None of no numbers."""
        total = counts.total()
        if not total:
            return None
        passed, median = 0, 0
        for value in sorted(counts):
            passed += counts[value]
            if 2 * passed >= total:
                median = value
                break
        mean = sum(value * number for value, number in counts.items()) / total
        return cls(min(counts), median, mean, max(counts))


@dataclass(slots=True)
class SplitFigures:
    """The figures of one split of a source."""

    records: int = 0
    pictures: int = 0
    shards: int = 0
    bytes: int = 0  # of the shards
    masks: int = 0  # regions that have one
    captions: int = 0  # texts of a captioner
    boxes: Counter[str] = field(default_factory=Counter)  # by `small`, `medium` and `large`
    regions: Counter[int] = field(default_factory=Counter)  # records by their number of regions
    sides: Counter[int] = field(default_factory=Counter)  # pictures by their longer side, pixels
    categories: Counter[str] = field(default_factory=Counter)  # regions by category
    words: Counter[tuple[str, int]] = field(default_factory=Counter)  # turns by task and words
    licences: Counter[str] = field(default_factory=Counter)  # records by licence
    makers: Counter[tuple[str, str]] = field(default_factory=Counter)  # records, by role and name
    last_image: str = ""  # of the record that was counted last: records of an image stand together

    @property
    def region_total(self) -> int:
        """The number of regions, an entry of each record by itself."""
        return self.boxes.total()

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the records of a batch."""
        self.records += batch.num_rows
        self._add_pictures(batch)
        self._add_regions(batch.column("regions"))
        self.categories.update(category_counts(batch))
        self.words.update(answer_lengths(batch))
        self.licences.update(_counted(batch.column("licence")))
        provenance = batch.column("provenance")
        for name, role in _MAKERS.items():
            for maker, number in _counted(provenance.field(name)).items():
                self.makers[role, maker] += number

    def _add_pictures(self, batch: pa.RecordBatch) -> None:
        sides = pc.max_element_wise(batch.column("width"), batch.column("height"))
        ids = batch.column("id").to_pylist()
        for record_id, side in zip(ids, sides.to_pylist(), strict=True):
            image = image_of(record_id)
            if side is not None and image != self.last_image:  # no side: text only
                self.pictures += 1
                self.sides[side] += 1
            self.last_image = image

    def _add_regions(self, lists: pa.Array) -> None:
        self.regions.update(pc.list_value_length(lists).to_pylist())
        regions = pc.list_flatten(lists)
        corners = regions.field("bbox").flatten().to_numpy(zero_copy_only=False).reshape(-1, 4)
        areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
        small, upto = int(np.sum(areas < _MEDIUM)), int(np.sum(areas < _LARGE))
        self.boxes.update(small=small, medium=upto - small, large=len(areas) - upto)
        self.masks += len(regions) - regions.field("mask").null_count
        self.captions += pc.sum(pc.list_value_length(regions.field("captions"))).as_py() or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of a build."""

    manifest: Manifest
    splits: dict[tuple[str, str], SplitFigures]  # by source and split

    def lengths(self) -> dict[tuple[str, str], Counter[int]]:
        """Return the number of turns by their words, by source and task."""
        lengths: dict[tuple[str, str], Counter[int]] = {}
        for (source, _), split in sorted(self.splits.items()):
            for (task, words), turns in split.words.items():
                lengths.setdefault((source, task), Counter())[words] += turns
        return dict(sorted(lengths.items()))

    def categories(self) -> dict[str, Counter[str]]:
        """Return the number of regions by category, by source; without sources that name none."""
        named: dict[str, Counter[str]] = {}
        for (source, _), split in sorted(self.splits.items()):
            named.setdefault(source, Counter()).update(split.categories)
        return {source: counts for source, counts in named.items() if counts}

    def makers(self) -> Counter[tuple[str, str]]:
        """Return the number of records by the role and the name of who made or scored captions."""
        return sum((split.makers for split in self.splits.values()), Counter())

    def licences(self) -> Counter[str]:
        """Return the number of records by licence."""
        return sum((split.licences for split in self.splits.values()), Counter())


def figures_of(output: str, on_progress: Callable[[int], None] = lambda rows: None) -> Figures:
    """Return the figures of a finished build.

    Args:
        output: the folder of the build.
        on_progress: called with the number of records that were counted, now and then.

    Raises:
        InputFileError: there is no finished build, or a shard is damaged.
    """
    manifest = read_manifest(output)
    splits: dict[tuple[str, str], SplitFigures] = {}
    rows = 0
    for shard in sorted(manifest.shards, key=_order):
        split = splits.setdefault((shard.config, shard.split), SplitFigures())
        split.shards += 1
        split.bytes += shard.bytes
        for batch in shard_columns(output, shard, _COLUMNS):
            split.add(batch)
            rows += batch.num_rows
            on_progress(rows)
    return Figures(manifest=manifest, splits=splits)


def _order(shard: Shard) -> tuple[str, str, int]:
    return shard.config, shard.split, shard.index


def _counted(values: pa.Array) -> dict[str, int]:
    counts = pc.value_counts(values.drop_null())
    names, numbers = counts.field("values").to_pylist(), counts.field("counts").to_pylist()
    return dict(zip(names, numbers, strict=True))

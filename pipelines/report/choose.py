"""The choice of what a report shows, by the hash of images.

A rejected caption is shown where records of its image would be, so that the shown captions are a
fair sample of kept and rejected ones.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from pipelines.output.reader import read_rejections
from pipelines.preview.record import Record
from pipelines.shards.reader import shard_batches
from schemas.ids import image_of, rank
from schemas.rejection import RejectedCaption, Rejection


class RowRef(NamedTuple):
    """The position of a record, after the rank by which records are chosen."""

    rank: int
    id: str
    path: str
    batch: int
    row: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """The chosen records, and the rejected captions of images of the same ranks."""

    refs: list[RowRef]
    rejections: dict[str, list[tuple[Rejection, RejectedCaption]]]  # by image, as in records' ids


def image_rank(image: str) -> int:
    """Return the rank of an image, such as `coco/train/7`."""
    return rank("report", image)


def choose_refs(ids: Iterable[tuple[str, int, int, str]], count: int) -> list[RowRef]:
    """Return the positions of the records with the smallest ranks.

    Args:
        ids: path, number of the batch, row and id of each record.
        count: the number of records, at most.
    """
    refs = (
        RowRef(image_rank(image_of(name)), name, path, batch, row) for path, batch, row, name in ids
    )
    return heapq.nsmallest(count, refs)


def choose_rejections(
    rejections: Iterable[tuple[Rejection, RejectedCaption]], refs: list[RowRef], *, everything: bool
) -> Chosen:
    """Return chosen records with the rejected captions that are shown beside them.

    Args:
        rejections: all rejected captions.
        refs: the positions of the chosen records.
        everything: whether all records are chosen, and so all rejected captions are.
    """
    most = max((ref.rank for ref in refs), default=0)
    by_image: dict[str, list[tuple[Rejection, RejectedCaption]]] = defaultdict(list)
    for rejection, caption in rejections:
        image = f"{rejection.source}/{rejection.split}/{caption.image}"
        if everything or image_rank(image) <= most:
            by_image[image].append((rejection, caption))
    return Chosen(refs, dict(by_image))


def rejected_captions(
    output: str, configs: Iterable[str]
) -> Iterator[tuple[Rejection, RejectedCaption]]:
    """Yield all rejected captions of an output."""
    for config in configs:
        for rejection in read_rejections(output, config):
            if rejection.caption is not None:
                yield rejection, rejection.caption


def chosen_records(refs: Iterable[RowRef]) -> Iterator[Record]:
    """Yield the chosen records, whole, in the order of the shards; one is in memory at a time."""
    wanted: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for ref in refs:
        wanted[ref.path][ref.batch].append(ref.row)
    for path in sorted(wanted):
        rows_of = wanted[path]
        for number, batch in enumerate(islice(shard_batches(path), max(rows_of) + 1)):
            for row in sorted(rows_of.get(number, ())):
                yield batch.slice(row, 1).to_pylist()[0]

"""The records of a split, picture by picture, in the order that all builds share.

The rank of a picture, a hash of its name, decides its shard and its position there. So the shards
of a split, one after the other, hold the pictures in the order of their ranks, whatever the number
of shards: two builds can be compared or united like sorted lists, with one picture of each in
memory.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import pyarrow as pa

from pipelines.output.records import shard_columns
from pipelines.shards.options import shard_and_rank
from schemas.errors import InputFileError
from schemas.manifest import Shard

PictureKey = tuple[int, str]  # the rank of a picture in its split, and its name


class Picture(NamedTuple):
    """The records of one picture of a split."""

    key: PictureKey
    batches: list[pa.RecordBatch]  # all of its records, in order
    shard: str  # the path of the shard that holds them

    def rows(self) -> dict[str, pa.RecordBatch]:
        """Return each record as a batch of one row, by its id.

        Raises:
            InputFileError: two records have the same id.
        """
        rows: dict[str, pa.RecordBatch] = {}
        for batch in self.batches:
            for number, record_id in enumerate(batch.column("id").to_pylist()):
                if record_id in rows:
                    raise _unusable(self.shard, f"two records have the id {record_id}")
                rows[record_id] = batch.slice(number, 1)
        return rows


def pictures_of(
    output: str,
    shards: Iterable[Shard],
    on_progress: Callable[[int], None] = lambda rows: None,
) -> Iterator[Picture]:
    """Yield the pictures of some shards of a split, with their records, in order.

    Args:
        output: the folder of the build.
        shards: shards of one split of one source.
        on_progress: called with the number of records of each batch.

    Raises:
        InputFileError: a shard is damaged, or its records are not in order.
    """
    last: Picture | None = None
    for shard in sorted(shards, key=lambda each: each.index):
        for batch in shard_columns(output, shard):
            on_progress(batch.num_rows)
            for key, records in _runs(batch, shard):
                if last is not None and key == last.key:
                    last.batches.append(records)
                    continue
                if last is not None:
                    if key < last.key:
                        raise _unusable(shard.path, f"the picture {key[1]} is out of order")
                    yield last
                last = Picture(key, [records], shard.path)
    if last is not None:
        yield last


def _runs(batch: pa.RecordBatch, shard: Shard) -> Iterator[tuple[PictureKey, pa.RecordBatch]]:
    """Yield the records of a batch that belong to the same picture and stand together."""
    names = [_picture_name(record_id, shard) for record_id in batch.column("id").to_pylist()]
    first = 0
    for row in range(1, len(names) + 1):
        if row == len(names) or names[row] != names[first]:
            rank = shard_and_rank(shard.config, shard.split, names[first], 1)[1]
            yield (rank, names[first]), batch.slice(first, row - first)
            first = row


def _picture_name(record_id: str | None, shard: Shard) -> str:
    """Return the name of a record's picture: `7` in `coco/train/7/region_caption/0`."""
    prefix = f"{shard.config}/{shard.split}/"
    parts = (record_id or "").removeprefix(prefix).rsplit("/", 2)
    if len(parts) != 3 or not (record_id or "").startswith(prefix):
        raise _unusable(shard.path, f"a record has the id {record_id!r}")
    return parts[0]


def _unusable(shard: str, reason: str) -> InputFileError:
    return InputFileError(f"{shard}: {reason}; `regionforge verify` says more")

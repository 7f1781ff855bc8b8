"""The choice of the records to show, by the hash of their ids.

1. Read the ids of all shards; the records with the smallest hashes are chosen.
2. Read the chosen records, whole, from the shards that hold them.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from pipelines.output.reader import read_manifest
from pipelines.output.records import select_shards
from pipelines.preview.record import Record
from pipelines.shards.reader import shard_batches
from pipelines.storage import files
from schemas.ids import rank


class _RowRef(NamedTuple):
    rank: int
    id: str
    path: str
    batch: int
    row: int


def choose(
    output: str,
    *,
    config: str | None = None,
    split: str | None = None,
    count: int = 8,
    on_progress: Callable[[int], None] = lambda rows: None,
) -> list[Record]:
    """Return records of a finished build, chosen by the hash of their ids: the same each time.

    Args:
        output: the folder of the build.
        config: choose among the records of this config only.
        split: choose among the records of this split only.
        count: the number of records to return; all records where the build has fewer.
        on_progress: called with the number of records that were looked at, now and then.

    Raises:
        UsageError: there is no finished build, no such config or split, or a damaged shard.
    """
    shards = select_shards(read_manifest(output), config, split)
    paths = [files.join(output, shard.path) for shard in shards]
    refs = heapq.nsmallest(count, _refs(paths, on_progress))
    records = dict(_fetch(refs))
    return [records[ref] for ref in refs]


def _refs(paths: Iterable[str], on_progress: Callable[[int], None]) -> Iterator[_RowRef]:
    rows = 0
    for path in paths:
        for number, batch in enumerate(shard_batches(path)):
            rows += batch.num_rows
            on_progress(rows)
            for row, record_id in enumerate(batch.column("id").to_pylist()):
                yield _RowRef(rank("preview", record_id), record_id, path, number, row)


def _fetch(refs: Iterable[_RowRef]) -> Iterator[tuple[_RowRef, Record]]:
    wanted: dict[str, dict[int, list[_RowRef]]] = defaultdict(lambda: defaultdict(list))
    for ref in refs:
        wanted[ref.path][ref.batch].append(ref)
    for path, by_batch in wanted.items():
        for number, batch in enumerate(islice(shard_batches(path), max(by_batch) + 1)):
            for ref in by_batch.get(number, ()):
                yield ref, batch.slice(ref.row, 1).to_pylist()[0]

"""Choose the samples to show.

1. Pass over the ids of all shards; the smallest hashes win, wherever their records lie.
2. Fetch the winners, whole, from the shards that hold them.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from pipelines.output.reader import read_manifest
from pipelines.preview.record import Record
from pipelines.shards.reader import shard_batches
from pipelines.storage import files
from schemas.errors import UsageError
from schemas.ids import rank
from schemas.manifest import Manifest, Shard


class _Place(NamedTuple):
    rank: int
    id: str
    path: str
    batch: int
    row: int


def choose(
    output: str, *, config: str | None = None, split: str | None = None, count: int = 8
) -> list[Record]:
    """Return records of a finished build, chosen by the hash of their ids: always the same ones.

    Args:
        output: the folder of the build.
        config: choose among the records of this one only.
        split: likewise.
        count: how many; all where there are fewer.

    Raises:
        UsageError: there is no finished build, no such config or split, or a damaged shard.
    """
    shards = _shards(read_manifest(output), config, split)
    paths = [files.join(output, shard.path) for shard in shards]
    places = heapq.nsmallest(count, _places(paths))
    found = dict(_fetch(places))
    return [found[place] for place in places]


def _shards(manifest: Manifest, config: str | None, split: str | None) -> list[Shard]:
    united = manifest.identity.recipe.get("name")
    known = sorted({f"{shard.config} / {shard.split}" for shard in manifest.shards})
    found = [
        shard
        for shard in manifest.shards
        if config in (None, united, shard.config) and split in (None, shard.split)
    ]
    if not found:
        wanted = " / ".join(name or "any" for name in (config, split))
        raise UsageError(f"no records of {wanted} here; there are: {', '.join(known)}")
    return found


def _places(paths: Iterable[str]) -> Iterator[_Place]:
    for path in paths:
        for number, batch in enumerate(shard_batches(path)):
            for row, record_id in enumerate(batch.column("id").to_pylist()):
                yield _Place(rank("preview", record_id), record_id, path, number, row)


def _fetch(places: Iterable[_Place]) -> Iterator[tuple[_Place, Record]]:
    wanted: dict[str, dict[int, list[_Place]]] = defaultdict(lambda: defaultdict(list))
    for place in places:
        wanted[place.path][place.batch].append(place)
    for path, by_batch in wanted.items():
        for number, batch in enumerate(islice(shard_batches(path), max(by_batch) + 1)):
            for place in by_batch.get(number, ()):
                yield place, batch.slice(place.row, 1).to_pylist()[0]

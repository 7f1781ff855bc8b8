"""The records of one config and split of a build, which an export takes one after another."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from pipelines.export.losses import Losses, Record
from pipelines.shards.reader import shard_batches
from pipelines.storage import files
from schemas.manifest import Shard


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The counts of an export: records by licence, and losses."""

    losses: Losses
    licences: Counter[str] = field(default_factory=Counter)
    on_progress: Callable[[int], None] = lambda records: None  # called with the records so far

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the records of a batch."""
        self.licences.update(batch.column("licence").to_pylist())
        self.on_progress(self.licences.total())


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The shards of one config and split, in order."""

    output: str
    config: str
    split: str
    shards: tuple[Shard, ...]
    tally: Tally

    def batches(self, shard: Shard) -> Iterator[pa.RecordBatch]:
        """Yield the record batches of one of the shards."""
        for batch in shard_batches(files.join(self.output, shard.path)):
            self.tally.add(batch)
            yield batch

    def records_of(self, shard: Shard) -> Iterator[Record]:
        """Yield the records of one of the shards; only one is in memory as Python objects."""
        for batch in self.batches(shard):
            for row in range(batch.num_rows):
                record: Record = batch.slice(row, 1).to_pylist()[0]
                self.tally.losses.add(record)
                yield record

    def records(self) -> Iterator[Record]:
        """Yield the records of all shards."""
        for shard in self.shards:
            yield from self.records_of(shard)

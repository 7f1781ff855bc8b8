"""Grouping by shard: the values of each shard come together, and empty shards are included."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import apache_beam as beam
from apache_beam.pvalue import PCollection

from pipelines.shards.options import ShardKey
from schemas.source import SplitFacts

Value = TypeVar("Value")


@dataclass
class GroupByShard(
    beam.PTransform[
        PCollection[tuple[ShardKey, Value]], PCollection[tuple[ShardKey, Iterable[Value]]]
    ],
    Generic[Value],
):
    """Values by shard -> all values of each shard, also of shards that no value belongs to."""

    facts: PCollection[SplitFacts]  # facts hold the number of shards of each split
    empty: Value  # a value without content, added to every shard

    def expand(
        self, pcoll: PCollection[tuple[ShardKey, Value]]
    ) -> PCollection[tuple[ShardKey, Iterable[Value]]]:
        """Add an empty value for every shard, then group values by shard."""
        every_shard = self.facts | "EveryShard" >> beam.FlatMap(_every_shard, self.empty)
        return (pcoll, every_shard) | beam.Flatten() | "ByShard" >> beam.GroupByKey()


def _every_shard(facts: SplitFacts, empty: Value) -> Iterator[tuple[ShardKey, Value]]:
    for index in range(facts.shards):
        yield (facts.source, facts.split, index, facts.shards), empty

"""Grouping by shard: all that goes into a shard comes together, and no shard is forgotten."""

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
    """Values by shard -> all values of each shard, the shards without one among them."""

    facts: PCollection[SplitFacts]  # say into how many shards each split goes
    empty: Value  # one more value of every shard, with nothing in it

    def expand(
        self, pcoll: PCollection[tuple[ShardKey, Value]]
    ) -> PCollection[tuple[ShardKey, Iterable[Value]]]:
        """Add the empty value of every shard and group."""
        every_shard = self.facts | "EveryShard" >> beam.FlatMap(_every_shard, self.empty)
        return (pcoll, every_shard) | beam.Flatten() | "ByShard" >> beam.GroupByKey()


def _every_shard(facts: SplitFacts, empty: Value) -> Iterator[tuple[ShardKey, Value]]:
    for index in range(facts.shards):
        yield (facts.source, facts.split, index, facts.shards), empty

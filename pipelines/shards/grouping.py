"""Grouping by shard: the packed images of each shard come together, and empty shards are included.

Images of shards that an earlier run finished are left out here, not before: the caps rank all
regions of a split, and the ledger counts all images up to this point.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import apache_beam as beam
from apache_beam.pvalue import PCollection
from apache_beam.utils.windowed_value import WindowedValue

from pipelines.shards.options import ShardKey, shard_key
from pipelines.shards.pages import Packer, Page, pack_image, pack_page
from pipelines.storage.spool import Spool
from schemas.layout import shard_path
from schemas.sample import ScreenedImage
from schemas.source import SplitFacts
from transforms.progress import PACKED, Progress
from transforms.stage import in_bundle


@dataclass
class GroupByShard(
    beam.PTransform[PCollection[list[ScreenedImage]], PCollection[tuple[ShardKey, Iterable[Page]]]]
):
    """Batches of ScreenedImage -> the pages of each shard, also of shards without any image."""

    facts: PCollection[SplitFacts]  # facts hold the number of shards of each split
    finished: frozenset[str] = field(default=frozenset())  # paths of shards that come without image
    spool: str | None = None  # the folder where pages wait; None: in memory

    def expand(
        self, pcoll: PCollection[list[ScreenedImage]]
    ) -> PCollection[tuple[ShardKey, Iterable[Page]]]:
        """Pack images into pages, add an empty page for every shard, and group pages by shard."""
        packed = pcoll | "Pack" >> beam.ParDo(_PackByShard(self.finished, self.spool))
        every_shard = self.facts | "EveryShard" >> beam.FlatMap(_every_shard)
        return (packed, every_shard) | beam.Flatten() | "ByShard" >> beam.GroupByKey()


class _PackByShard(beam.DoFn):
    def __init__(self, finished: frozenset[str], spool: str | None) -> None:
        self._finished = finished
        self._folder = spool

    def start_bundle(self) -> None:
        self._spool = Spool(self._folder)
        self._packer = Packer(self._spool)
        self._progress = Progress(PACKED)

    def process(self, element: list[ScreenedImage]) -> Iterator[tuple[ShardKey, Page]]:
        packed = 0
        for screened in element:
            key, position = shard_key(screened.image)
            if not self._finished or shard_path(*key) not in self._finished:
                yield from self._packer.add(key, pack_image(position, screened))
                packed += 1
        self._progress.add(packed)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        self._progress.flush()
        for item in self._packer.rest():
            yield in_bundle(item)
        self._spool.close()


def _every_shard(facts: SplitFacts) -> Iterator[tuple[ShardKey, Page]]:
    for index in range(facts.shards):
        yield (facts.source, facts.split, index, facts.shards), pack_page([])

"""Waiting: images that the next stage cannot have yet lie in a spool meanwhile."""

from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam
from apache_beam.pvalue import PCollection

from pipelines.shards.pages import Page, pack_batch, unpack_batch
from pipelines.storage.spool import Spool
from schemas.sample import ScreenedImage


@dataclass
class WaitInSpool(
    beam.PTransform[PCollection[list[ScreenedImage]], PCollection[list[ScreenedImage]]]
):
    """Batches of ScreenedImage -> the same, once all of them have been made."""

    folder: str

    def expand(self, pcoll: PCollection[list[ScreenedImage]]) -> PCollection[list[ScreenedImage]]:
        """Write the batches, and read them again behind a shuffle of where they are."""
        return (
            pcoll
            | "Put" >> beam.ParDo(_Put(self.folder))
            | "Shuffle" >> beam.Reshuffle()
            | "Take" >> beam.Map(unpack_batch)
        )


class _Put(beam.DoFn):
    def __init__(self, folder: str) -> None:
        self._folder = folder

    def start_bundle(self) -> None:
        self._spool = Spool(self._folder)

    def process(self, element: list[ScreenedImage]) -> Iterator[Page]:
        size, compressed = pack_batch(element)
        yield size, self._spool.put(compressed)

    def finish_bundle(self) -> None:
        self._spool.close()

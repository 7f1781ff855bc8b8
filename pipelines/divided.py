"""Divided: the stages in which several workers read the files of splits.

    Divide      one worker cuts a large file in COCO's layout, and reads all but its annotations
    DealOut     each slice of annotations is dealt out into bins, by the ids of their images
    ByBin       a bin's images and annotations come together
    ReadBin     they become images with their annotations

So each byte of annotations is read once, and no worker holds more than a slice or a bin of them.

Another file is a bin of its own, and read whole. A few workers share it in parts, each of which
passes over the whole file; where there are more, that would cost too much, and one of them reads.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Literal, NamedTuple

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import PBegin, PCollection, TaggedOutput

from pipelines.datasets.catalog import dataset
from pipelines.datasets.coco.division import Bin, Slice, deal_out, read_bin
from pipelines.datasets.spec import Divided
from pipelines.entries import FACTS, EntryDoFn, split_into_parts
from pipelines.recipes.recipe import RECAPD_ROLE
from pipelines.storage.files import FileStore
from pipelines.storage.spool import Spool, Spooled, value_of
from schemas.rejection import Kind, Rejection
from schemas.source import SourceImage, SplitFacts, SplitInput
from transforms.stage import StageOutputs, StageTransform, run_stage, run_stage_with

BinKey = tuple[str, str, int]  # source, split, number


class Page(NamedTuple):
    """Annotations of a bin, as `deal_out` yields them."""

    content: Spooled  # a frame of Zstandard
    size: int  # before compression


Piece = Bin | Page | SplitInput  # the last: a part of a split that is not divided

_READERS = 4  # parts of a file that is not divided, at most
_BIN: Literal["bin"] = "bin"
_CODEC = pa.Codec("zstd", compression_level=1)


class DividedOutputs(NamedTuple):
    """The outputs of the stages that read divided files, as Beam collections."""

    stage: StageOutputs[list[SourceImage]]
    facts: PCollection[SplitFacts]


class _Divide(EntryDoFn[SplitInput, Slice]):
    def __init__(self, parts: int) -> None:
        self._parts = parts

    def results(
        self, element: SplitInput
    ) -> Iterator[
        Slice
        | TaggedOutput[Literal["bin"], tuple[BinKey, Piece]]
        | TaggedOutput[Literal["facts"], SplitFacts]
    ]:
        """Yield the slices of a file, its bins and its facts; or parts, if it is not divided.

        A file that cannot be used is not divided, and rejected.
        """
        with self.unusable_file(element, counted=False):
            division = _division(element, self._parts)
            if division is None:
                readers = self._parts if self._parts <= _READERS else 1
                for number, part in enumerate(split_into_parts([element], readers)):
                    piece: Piece = part
                    yield TaggedOutput(_BIN, (_key(element, number), piece))
                return
            self.record(element, division.entries)
            self.ledger.read(element, Kind.FILE)
            self.ledger.kept(element, Kind.FILE)
            yield from division.slices
            for some in division.bins:
                yield TaggedOutput(_BIN, (_key(element, some.number), some))
        yield from self.facts()


class _DealOut(EntryDoFn[Slice, tuple[BinKey, Piece]]):
    def __init__(self, spool: str | None) -> None:
        self._folder = spool

    def results(self, element: Slice) -> Iterator[tuple[BinKey, Piece]]:
        """Yield the annotations of a slice by bin, compressed."""
        split, spool = element.split, Spool(self._folder)
        with self.unusable_file(split, counted=False), closing(spool):
            content = FileStore().read_range(split.file, element.start, element.end)
            for dealt in deal_out(element, content):
                if isinstance(dealt, Rejection):
                    self.record(split, [dealt])
                else:
                    number, text = dealt
                    frame = spool.put(_CODEC.compress(text, asbytes=True))
                    yield _key(split, number), Page(frame, len(text))


class _ReadBin(EntryDoFn[tuple[BinKey, Iterable[Piece]], list[SourceImage]]):
    def results(
        self, element: tuple[BinKey, Iterable[Piece]]
    ) -> Iterator[list[SourceImage] | TaggedOutput[Literal["facts"], SplitFacts]]:
        """Yield the images of a bin or of a part in batches, and a part's facts."""
        pages: list[Page] = []
        heads: list[Bin | SplitInput] = []
        for piece in element[1]:
            if isinstance(piece, Page):
                pages.append(piece)
            else:
                heads.append(piece)
        (head,) = heads
        if isinstance(head, SplitInput):
            yield from self.part(head)
        else:
            texts = (
                _CODEC.decompress(value_of(page.content), page.size, asbytes=True) for page in pages
            )
            yield from self.batches(head.split, read_bin(head, texts))
        yield from self.facts()


@dataclass
class ReadDivided(StageTransform[PBegin, DividedOutputs]):
    """SplitInput values -> batches of SourceImage; further outputs: facts, as `ReadSources`."""

    splits: Sequence[SplitInput]
    parts: int
    spool: str | None

    def expand(self, pbegin: PBegin) -> DividedOutputs:
        """Divide the files that can be, and read all."""
        splits = pbegin | beam.Create(self.splits)
        divided, (facts, bins) = run_stage_with(splits, _Divide(self.parts), FACTS, _BIN)
        dealt = run_stage(divided.kept | "Slices" >> beam.Reshuffle(), _DealOut(self.spool))
        by_bin = (bins, dealt.kept) | "Bins" >> beam.Flatten() | "ByBin" >> beam.GroupByKey()
        read, (more_facts,) = run_stage_with(by_bin, _ReadBin(), FACTS)
        stages = divided, dealt, read
        rejected = [stage.rejected for stage in stages] | "Rejected" >> beam.Flatten()
        tally = [stage.tally for stage in stages] | "Tally" >> beam.Flatten()
        all_facts = (facts, more_facts) | "Facts" >> beam.Flatten()
        return DividedOutputs(StageOutputs(read.kept, rejected, tally), all_facts)


def _division(split: SplitInput, parts: int) -> Divided | None:
    divide = dataset(split.owner or split.source).divide
    return divide(split, FileStore(), parts) if divide and RECAPD_ROLE not in split.files else None


def _key(split: SplitInput, number: int) -> BinKey:
    return split.source, split.split, number

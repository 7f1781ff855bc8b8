"""Read: the stages that turn owners' annotation files into images with their annotations.

    Divide      one worker cuts a large file in COCO's layout, and reads all but its annotations
    DealOut     each slice of annotations is dealt out into bins, by the ids of their images
    ByBin       a bin's images and annotations come together
    ReadBin     they become images with their annotations

So each byte of annotations is read once, whatever the number of workers, and none of them holds
more than a slice or a bin of annotations. The slices are those of the index that the quick look
made; where it made none, `Divide` does.

Another split is a bin of its own, and read whole. A few workers share a large one in parts, each of
which passes over all its files; where there are more, that would cost too much, and one reads.

An annotation file that cannot be used is itself a rejected item: the other splits are read, and
the build ends with an error that names the fault. Every part that fails rejects
the file, because it may be the only part that fails.
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
from pipelines.datasets.common import slices
from pipelines.datasets.common.index import Indexes
from pipelines.datasets.spec import Divided
from pipelines.entries import FACTS, EntryDoFn, split_into_parts
from pipelines.recipes.recipe import RECAPD_ROLE
from pipelines.storage import files
from pipelines.storage.files import FileStore
from pipelines.storage.spool import Spool, Spooled, value_of
from schemas.rejection import Kind, Rejection
from schemas.source import SourceImage, SplitFacts, SplitInput
from transforms.stage import StageOutputs, StageTransform, run_stage, run_stage_with

BinKey = tuple[str, str, int]  # source, split, number
Indexed = tuple[SplitInput, Indexes]  # a split, and the known indexes of its files


class Page(NamedTuple):
    """What waits of a bin: annotations as `deal_out` yields them, or its images."""

    content: Spooled  # a frame of LZ4
    size: int  # before compression


class Head(NamedTuple):
    """A bin, but for its images, which wait."""

    bin: Bin
    images: Page


Piece = Head | Page | SplitInput  # the last: a part of a split that is not divided

_READERS = 4  # parts of a file that is not divided, at most
_BIN: Literal["bin"] = "bin"
_CODEC = pa.Codec("lz4")  # Zstandard takes 1.6 times as long


class ReadOutputs(NamedTuple):
    """The outputs of the read stages, as Beam collections."""

    stage: StageOutputs[list[SourceImage]]
    facts: PCollection[SplitFacts]


class _Divide(EntryDoFn[Indexed, Slice]):
    def __init__(self, parts: int, spool: str | None) -> None:
        self._parts = parts
        self._folder = spool

    def results(
        self, element: Indexed
    ) -> Iterator[
        Slice
        | TaggedOutput[Literal["bin"], tuple[BinKey, Piece]]
        | TaggedOutput[Literal["facts"], SplitFacts]
    ]:
        """Yield the slices of a file, its bins and its facts; or parts, if it is not divided.

        A file that cannot be used is not divided, and rejected.
        """
        split, indexes = element
        with self.unusable_file(split, counted=False):
            division = _division(split, indexes, self._parts)
            if division is None:
                for number, part in enumerate(
                    split_into_parts([split], _readers(split, self._parts))
                ):
                    piece: Piece = part
                    yield TaggedOutput(_BIN, (_key(split, number), piece))
                return
            self.record(split, division.entries)
            self.ledger.read(split, Kind.FILE)
            self.ledger.kept(split, Kind.FILE)
            yield from division.slices
            with closing(Spool(self._folder)) as spool:
                for some in division.bins:
                    head: Piece = Head(some._replace(usable=b""), _page(some.usable, spool))
                    yield TaggedOutput(_BIN, (_key(split, some.number), head))
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
                    yield _key(split, number), _page(text, spool)


class _ReadBin(EntryDoFn[tuple[BinKey, Iterable[Piece]], list[SourceImage]]):
    def results(
        self, element: tuple[BinKey, Iterable[Piece]]
    ) -> Iterator[list[SourceImage] | TaggedOutput[Literal["facts"], SplitFacts]]:
        """Yield the images of a bin or of a part in batches, and a part's facts."""
        pages: list[Page] = []
        heads: list[Head | SplitInput] = []
        for piece in element[1]:
            if isinstance(piece, Page):
                pages.append(piece)
            else:
                heads.append(piece)
        (head,) = heads
        if isinstance(head, SplitInput):
            yield from self.part(head)
        else:
            some = head.bin._replace(usable=_content_of(head.images))
            yield from self.batches(some.split, read_bin(some, map(_content_of, pages)))
        yield from self.facts()


@dataclass
class ReadSources(StageTransform[PBegin, ReadOutputs]):
    """SplitInput values -> batches of SourceImage; further outputs: facts, rejections, tallies."""

    splits: Sequence[SplitInput]
    parts: int
    spool: str | None  # the folder where annotations wait; None: in memory
    indexes: Indexes  # of the files that were looked at

    def expand(self, pbegin: PBegin) -> ReadOutputs:
        """Divide the files that can be, and read all."""
        splits = pbegin | beam.Create([_indexed(split, self.indexes) for split in self.splits])
        divided, (facts, bins) = run_stage_with(
            splits, _Divide(self.parts, self.spool), FACTS, _BIN
        )
        dealt = run_stage(divided.kept | "Slices" >> beam.Reshuffle(), _DealOut(self.spool))
        by_bin = (bins, dealt.kept) | "Bins" >> beam.Flatten() | "ByBin" >> beam.GroupByKey()
        read, (more_facts,) = run_stage_with(by_bin, _ReadBin(), FACTS)
        stages = divided, dealt, read
        rejected = [stage.rejected for stage in stages] | "Rejected" >> beam.Flatten()
        tally = [stage.tally for stage in stages] | "Tally" >> beam.Flatten()
        all_facts = (facts, more_facts) | "Facts" >> beam.Flatten()
        return ReadOutputs(StageOutputs(read.kept, rejected, tally), all_facts)


def _indexed(split: SplitInput, indexes: Indexes) -> Indexed:
    return split, {path: indexes[path] for path in split.files.values() if path in indexes}


def _division(split: SplitInput, indexes: Indexes, parts: int) -> Divided | None:
    divide = dataset(split.owner or split.source).divide
    if divide is None or RECAPD_ROLE in split.files:
        return None
    return divide(split, FileStore(), parts, indexes)


def _page(content: bytes, spool: Spool) -> Page:
    return Page(spool.put(_CODEC.compress(content, asbytes=True)), len(content))


def _content_of(page: Page) -> bytes:
    content: bytes = _CODEC.decompress(value_of(page.content), page.size, asbytes=True)
    return content


def _readers(split: SplitInput, parts: int) -> int:
    """Return the number of parts in which a split is read that is not divided."""
    states = [files.state_of(path) for path in split.files.values()]
    sizes = [state[0] for state in states if state]  # none of a folder, which has many files
    if len(sizes) == len(states) and sum(sizes) < slices.SLICE_BYTES:
        return 1
    return parts if parts <= _READERS else 1


def _key(split: SplitInput, number: int) -> BinKey:
    return split.source, split.split, number

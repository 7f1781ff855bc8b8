"""Read: the stages that turn owners' annotation files into images with their annotations.

    ReadWhole   one worker reads a split whose files are small

    Divide      one worker opens a larger split: all but the annotations of images
    DealOut     each slice of annotations is dealt out into bins, by the ids of their images
    ByBin       a bin and what is dealt out to it come together
    ReadBin     the images of a bin are read, with their annotations

So each byte of annotations is read once, whatever the number of workers. Where the files have an
index, which the quick look makes, their annotations are in slices, and no worker holds more than a
slice or a bin of them. Else the worker that divides a split reads its files, and each bin holds
what is its own.

Where no split is divided, its stages are not laid out. What `DatasetSpec.divide` does not divide is
a bin of its own, and read whole.

An annotation file that cannot be used is itself a rejected item: the other splits are read, and
the build ends with an error that names the fault.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import PBegin, PCollection, TaggedOutput

from pipelines.captions.lookup import Captioned, open_captions, with_captions
from pipelines.datasets.catalog import dataset
from pipelines.datasets.common.bins import Bin, Division, Slice
from pipelines.datasets.common.index import Indexes, smallest_indexed
from pipelines.datasets.spec import DatasetSpec
from pipelines.entries import FACTS, EntryDoFn
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
    """What waits of a bin: what it holds, or what a slice deals out to it."""

    content: Spooled  # a frame of LZ4
    size: int  # before compression


class Head(NamedTuple):
    """A bin, and what it holds, which waits."""

    bin: Bin
    content: Page


class Captions(NamedTuple):
    """What regions of a bin have captions, which waits."""

    content: Page


# What comes together of a bin; the last: a split that is not divided.
Piece = Head | Page | Captions | SplitInput

_BIN: Literal["bin"] = "bin"
_FOLDER_WEIGHT = 16  # of files beside a folder, which name a file in it for each line or so
_CODEC = pa.Codec("lz4")  # Zstandard takes 1.6 times as long


class ReadOutputs(NamedTuple):
    """The outputs of the read stages, as Beam collections."""

    stage: StageOutputs[list[SourceImage]]
    facts: PCollection[SplitFacts]


class _ReadWhole(EntryDoFn[SplitInput, list[SourceImage]]):
    def results(
        self, element: SplitInput
    ) -> Iterator[list[SourceImage] | TaggedOutput[Literal["facts"], SplitFacts]]:
        """Yield the images of a split in batches, and its facts."""
        yield from self.whole(element)
        yield from self.facts()


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
        """Yield the slices of a split, its bins and its facts; or the split, if it is not divided.

        A split whose files cannot be used is not divided, and rejected.
        """
        split, indexes = element
        with self.unusable_file(split, counted=False):
            division = _division(split, indexes, self._parts)
            if division is None:
                undivided: Piece = split
                yield TaggedOutput(_BIN, (_key(split, 0), undivided))
                return
            with closing(Spool(self._folder)) as spool:
                dealt = [(number, _page(content, spool)) for number, content in division.dealt]
                captioned = open_captions(split) if RECAPD_ROLE in split.files else Captioned({})
                self.record(split, [captioned.total])
                self.record(split, captioned.noting_refused(division.entries))
                self.ledger.read(split, Kind.FILE)
                self.ledger.kept(split, Kind.FILE)
                yield from division.slices
                bins = 0
                for some, content in division.bins:
                    bins += 1
                    head: Piece = Head(some, _page(content, spool))
                    yield TaggedOutput(_BIN, (_key(split, some.number), head))
                for number, page in dealt:
                    piece: Piece = page
                    yield TaggedOutput(_BIN, (_key(split, number), piece))
                for number, ids in captioned.in_bins(bins):
                    captions: Piece = Captions(_page(ids, spool))
                    yield TaggedOutput(_BIN, (_key(split, number), captions))
        yield from self.facts()


class _DealOut(EntryDoFn[Slice, tuple[BinKey, Piece]]):
    def __init__(self, spool: str | None) -> None:
        self._folder = spool

    def results(self, element: Slice) -> Iterator[tuple[BinKey, Piece]]:
        """Yield the annotations of a slice by bin, compressed."""
        split, spool = element.split, Spool(self._folder)
        with self.unusable_file(split, counted=False), closing(spool):
            for dealt in element.deal_out(FileStore()):
                if isinstance(dealt, Rejection):
                    self.record(split, [dealt])
                else:
                    number, content = dealt
                    yield _key(split, number), _page(content, spool)


class _ReadBin(EntryDoFn[tuple[BinKey, Iterable[Piece]], list[SourceImage]]):
    def results(
        self, element: tuple[BinKey, Iterable[Piece]]
    ) -> Iterator[list[SourceImage] | TaggedOutput[Literal["facts"], SplitFacts]]:
        """Yield the images of a bin or of a split in batches, and a split's facts."""
        pieces: dict[type, list[Any]] = defaultdict(list)
        for piece in element[1]:
            pieces[type(piece)].append(piece)
        for split in pieces[SplitInput]:
            yield from self.whole(split)
        for head in pieces[Head]:
            yield from self._bin(head, pieces[Page], pieces[Captions])
        yield from self.facts()

    def _bin(
        self, head: Head, dealt: Iterable[Page], captions: Iterable[Captions]
    ) -> Iterator[list[SourceImage]]:
        split = head.bin.split
        with self.unusable_file(split, counted=False):
            entries = head.bin.read(FileStore(), _content_of(head.content), map(_content_of, dealt))
            for page in captions:
                captioned = Captioned.unpacked(_content_of(page.content))
                entries = with_captions(entries, split, captioned)
            yield from self.batches(split, entries)


@dataclass
class ReadSources(StageTransform[PBegin, ReadOutputs]):
    """SplitInput values -> batches of SourceImage; further outputs: facts, rejections, tallies."""

    splits: Sequence[SplitInput]
    parts: int
    spool: str | None  # the folder where annotations wait; None: in memory
    indexes: Indexes  # of the files that were looked at

    def expand(self, pbegin: PBegin) -> ReadOutputs:
        """Read all splits; those whose files are not small, divided."""
        splits: dict[bool, list[SplitInput]] = {True: [], False: []}
        for split in self.splits:
            splits[self._is_whole(split)].append(split)
        whole, divided = splits[True], splits[False]
        if not divided:
            return self._whole(pbegin, whole)
        if not whole:
            return self._divided(pbegin, divided)
        return _united([self._whole(pbegin, whole), self._divided(pbegin, divided)])

    def is_small(self, split: SplitInput) -> bool:
        """Return whether the files of a split are too small to divide it."""
        states = [files.state_of(path) for path in split.files.values()]
        sizes = [state[0] for state in states if state]
        weight = 1 if len(sizes) == len(states) else _FOLDER_WEIGHT
        return weight * sum(sizes) < smallest_indexed()

    def _is_whole(self, split: SplitInput) -> bool:
        if _spec(split).divide is None:
            return True
        known = [self.indexes[path] for path in split.files.values() if path in self.indexes]
        return (bool(known) and not any(known)) or self.is_small(split)

    def _whole(self, pbegin: PBegin, splits: Sequence[SplitInput]) -> ReadOutputs:
        read, (facts,) = run_stage_with(
            pbegin | "Whole" >> beam.Create(splits), _ReadWhole(), FACTS
        )
        return ReadOutputs(read, facts)

    def _divided(self, pbegin: PBegin, splits: Sequence[SplitInput]) -> ReadOutputs:
        indexed = pbegin | beam.Create([_indexed(split, self.indexes) for split in splits])
        divided, (facts, bins) = run_stage_with(
            indexed, _Divide(self.parts, self.spool), FACTS, _BIN
        )
        dealt = run_stage(divided.kept | "Slices" >> beam.Reshuffle(), _DealOut(self.spool))
        by_bin = (bins, dealt.kept) | "Bins" >> beam.Flatten() | "ByBin" >> beam.GroupByKey()
        read, (more_facts,) = run_stage_with(by_bin, _ReadBin(), FACTS)
        stages = divided, dealt, read
        rejected = [stage.rejected for stage in stages] | "Rejected" >> beam.Flatten()
        tally = [stage.tally for stage in stages] | "Tally" >> beam.Flatten()
        all_facts = (facts, more_facts) | "Facts" >> beam.Flatten()
        return ReadOutputs(StageOutputs(read.kept, rejected, tally), all_facts)


def _united(outputs: Sequence[ReadOutputs]) -> ReadOutputs:
    stages = [stage for stage, _ in outputs]
    return ReadOutputs(
        StageOutputs(
            [stage.kept for stage in stages] | "AllKept" >> beam.Flatten(),
            [stage.rejected for stage in stages] | "AllRejected" >> beam.Flatten(),
            [stage.tally for stage in stages] | "AllTally" >> beam.Flatten(),
        ),
        [facts for _, facts in outputs] | "AllFacts" >> beam.Flatten(),
    )


def _indexed(split: SplitInput, indexes: Indexes) -> Indexed:
    return split, {path: indexes[path] for path in split.files.values() if path in indexes}


def _division(split: SplitInput, indexes: Indexes, parts: int) -> Division | None:
    divide = _spec(split).divide
    return divide(split, FileStore(), parts, indexes) if divide else None


def _spec(split: SplitInput) -> DatasetSpec:
    return dataset(split.owner or split.source)


def _page(content: bytes, spool: Spool) -> Page:
    return Page(spool.put(_CODEC.compress(content, asbytes=True)), len(content))


def _content_of(page: Page) -> bytes:
    content: bytes = _CODEC.decompress(value_of(page.content), page.size, asbytes=True)
    return content


def _key(split: SplitInput, number: int) -> BinKey:
    return split.source, split.split, number

"""Read: the stages that turn owners' annotation files into images with their annotations.

    ReadWhole   one worker reads a split whose files are small

    Divide      one worker opens larger splits that share files: all but the annotations of images
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
from apache_beam.pvalue import PBegin, PCollection, TaggedOutput

from pipelines.captions.lookup import Captioned, with_captions
from pipelines.datasets.common.bins import Slice
from pipelines.datasets.common.index import Indexes, smallest_indexed
from pipelines.divide import BIN, Divide, sharing, spec_of
from pipelines.entries import FACTS, EntryDoFn
from pipelines.pieces import BinKey, Captions, Head, Page, Piece, content_of, key_of, page_of
from pipelines.storage import files
from pipelines.storage.files import FileStore
from pipelines.storage.spool import Spool
from schemas.rejection import Rejection
from schemas.source import SourceImage, SplitFacts, SplitInput
from transforms.stage import StageOutputs, StageTransform, run_stage, run_stage_with

_FOLDER_WEIGHT = 16  # of files beside a folder, which name a file in it for each line or so


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
                    yield key_of(split, number), page_of(content, spool)


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
            entries = head.bin.read(FileStore(), content_of(head.content), map(content_of, dealt))
            for page in captions:
                captioned = Captioned.unpacked(content_of(page.content))
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
        if spec_of(split).divide is None:
            return True
        known = [self.indexes[path] for path in split.files.values() if path in self.indexes]
        return (bool(known) and not any(known)) or self.is_small(split)

    def _whole(self, pbegin: PBegin, splits: Sequence[SplitInput]) -> ReadOutputs:
        read, (facts,) = run_stage_with(
            pbegin | "Whole" >> beam.Create(splits), _ReadWhole(), FACTS
        )
        return ReadOutputs(read, facts)

    def _divided(self, pbegin: PBegin, splits: Sequence[SplitInput]) -> ReadOutputs:
        shared = pbegin | beam.Create(sharing(splits, self.indexes))
        divided, (facts, bins) = run_stage_with(shared, Divide(self.parts, self.spool), FACTS, BIN)
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

"""Read: the stage that turns owners' annotation files into images with their annotations.

Two workers read every split in two parts, each of which passes over the whole file: that takes less
time than to divide it. More workers share the files as `pipelines.divided` describes.

An annotation file that cannot be used is itself a rejected item: the other splits are read, and
the build ends with an error that names the fault. Every part that fails rejects
the file, because it may be the only part that fails.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import apache_beam as beam
from apache_beam.pvalue import PBegin, PCollection, TaggedOutput

from pipelines.divided import ReadDivided
from pipelines.entries import FACTS, EntryDoFn, split_into_parts
from schemas.source import SourceImage, SplitFacts, SplitInput
from transforms.stage import StageOutputs, StageTransform, run_stage_with

# At COCO's size, each worker reads the whole file in 2.5 s, and to divide it takes 4 s.
_WHOLE_FILE_READERS = 2


class ReadOutputs(NamedTuple):
    """The outputs of the read stage, as Beam collections."""

    stage: StageOutputs[list[SourceImage]]
    facts: PCollection[SplitFacts]


class _ReadPart(EntryDoFn[SplitInput, list[SourceImage]]):
    def results(
        self, element: SplitInput
    ) -> Iterator[list[SourceImage] | TaggedOutput[Literal["facts"], SplitFacts]]:
        """Yield the images of a part in batches, and the facts about the split as a whole."""
        yield from self.part(element)
        yield from self.facts()


@dataclass
class ReadSources(StageTransform[PBegin, ReadOutputs]):
    """SplitInput values -> batches of SourceImage; further outputs: facts, rejections, tallies."""

    splits: Sequence[SplitInput]
    parts: int
    spool: str | None = None  # the folder where annotations wait; None: in memory

    def expand(self, pbegin: PBegin) -> ReadOutputs:
        """Read every split, alone or with others."""
        if self.parts > _WHOLE_FILE_READERS:
            return ReadOutputs(*(pbegin | ReadDivided(self.splits, self.parts, self.spool)))
        parts = pbegin | beam.Create(split_into_parts(self.splits, self.parts))
        stage, (facts,) = run_stage_with(parts, _ReadPart(), FACTS)
        return ReadOutputs(stage, facts)

"""Read: the stage that turns owners' annotation files into images with their annotations.

Each split is read in as many parts as there are workers; every part passes once over the files.
An annotation file that cannot be used is itself a rejected item: the other splits are read, and
the build ends with an error that names the fault. Every part that fails rejects
the file, because it may be the only part that fails.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import apache_beam as beam
import msgspec
from apache_beam.pvalue import PBegin, PCollection, TaggedOutput

from pipelines.captions.lookup import with_captions
from pipelines.datasets.catalog import dataset
from pipelines.recipes.recipe import RECAPD_ROLE
from pipelines.storage.files import FileStore
from schemas.errors import InputFileError
from schemas.ledger import Stage
from schemas.rejection import Kind, Reason, Rejected, Rejection
from schemas.source import Count, Entry, Repaired, SourceImage, SplitFacts, SplitInput
from transforms.stage import StageDoFn, StageOutputs, StageTransform, run_stage_with

_BATCH_IMAGES = 64  # images in one element, which costs Beam less than an element each


def split_into_parts(splits: Sequence[SplitInput], parts: int) -> list[SplitInput]:
    """Return the parts of all splits."""
    return [
        msgspec.structs.replace(split, part=part, parts=parts)
        for split in splits
        for part in range(parts)
    ]


def parse(split: SplitInput) -> Iterator[Entry]:
    """Yield the entries of a part of a split, with the captions of its regions if there are any.

    Raises:
        InputFileError: a file cannot be used.
    """
    entries = dataset(split.owner or split.source).parse(split, FileStore())
    return with_captions(entries, split) if RECAPD_ROLE in split.files else entries


class ReadOutputs(NamedTuple):
    """The outputs of the read stage, as Beam collections."""

    stage: StageOutputs[list[SourceImage]]
    facts: PCollection[SplitFacts]


_FACTS: Literal["facts"] = "facts"


class _ReadPart(StageDoFn[SplitInput, list[SourceImage]]):
    stage = Stage.READ

    def results(
        self, element: SplitInput
    ) -> Iterator[list[SourceImage] | TaggedOutput[Literal["facts"], SplitFacts]]:
        """Yield the images of a part in batches, and the facts about the split as a whole."""
        self._facts: list[SplitFacts] = []
        if element.leads:
            self.ledger.read(element, Kind.FILE)
        try:
            yield from batched(self._images(element), _BATCH_IMAGES)
            if element.leads:
                self.ledger.kept(element, Kind.FILE)
        except InputFileError as error:
            if not element.leads:
                self.ledger.read(element, Kind.FILE)
            cause = Rejected(Reason.UNREADABLE_FILE, str(error))
            name = element.files.get(element.split, element.split)
            self.ledger.reject(element, Kind.FILE, name, cause)
        for facts in self._facts:
            yield TaggedOutput(_FACTS, facts)

    def _images(self, split: SplitInput) -> Iterator[SourceImage]:
        """Yield the images among a split's entries, and record its rejections, counts and facts."""
        for entry in parse(split):
            match entry:
                case SourceImage():
                    self._keep(entry)
                    yield entry
                case SplitFacts():
                    self._facts.append(entry)
                case Count():
                    self.ledger.count(split, entry.kind, entry.outcome, entry.number)
                case Repaired():
                    self.ledger.repaired(split, entry.kind, entry.repair, entry.number)
                case Rejection():
                    self.ledger.enter(entry)

    def _keep(self, source_image: SourceImage) -> None:
        self.ledger.kept(source_image.image, Kind.IMAGE)
        self.ledger.kept(source_image.image, Kind.ANNOTATION, len(source_image.regions))
        self.ledger.items_kept(source_image.image, source_image.items)
        self.progress.add()


def batched(images: Iterable[SourceImage], size: int) -> Iterator[list[SourceImage]]:
    """Yield images in lists of `size`; the last list, also before an error, may be shorter."""
    batch: list[SourceImage] = []
    try:
        for image in images:
            batch.append(image)
            if len(batch) == size:
                yield batch
                batch = []
    except InputFileError:
        yield batch
        raise
    if batch:
        yield batch


@dataclass
class ReadSources(StageTransform[PBegin, ReadOutputs]):
    """SplitInput values -> batches of SourceImage; further outputs: facts, rejections, tallies."""

    splits: Sequence[SplitInput]
    parts: int

    def expand(self, pbegin: PBegin) -> ReadOutputs:
        """Parse every part of every split."""
        parts = pbegin | beam.Create(split_into_parts(self.splits, self.parts))
        return ReadOutputs(*run_stage_with(parts, _ReadPart(), _FACTS))

"""Read: owners' annotation files to images with their annotations.

Each split is read in as many parts as there are workers; every part passes once over the files.
An annotation file that cannot be used is itself a rejected item: the other splits are read, and
the build ends with an error that says what is wrong with the file. Every part that fails rejects
the file, for it may be the only part that does.
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
from schemas.source import Count, Entry, SourceImage, SplitFacts, SplitInput
from transforms.stage import StageDoFn, StageOutputs, StageTransform, run_stage_with

BATCH_IMAGES = 64  # images that travel as one element, which costs Beam less than many


def split_into_parts(splits: Sequence[SplitInput], parts: int) -> list[SplitInput]:
    """Return the parts of all splits."""
    return [
        msgspec.structs.replace(split, part=part, parts=parts)
        for split in splits
        for part in range(parts)
    ]


def parse(split: SplitInput) -> Iterator[Entry]:
    """Yield the entries of a part of a split, with the captions that there are of its regions.

    Raises:
        InputFileError: a file cannot be used.
    """
    entries = dataset(split.owner or split.source).parse(split, FileStore())
    return with_captions(entries, split) if RECAPD_ROLE in split.files else entries


class ReadOutputs(NamedTuple):
    """The outputs of reading."""

    stage: StageOutputs[list[SourceImage]]
    facts: PCollection[SplitFacts]


_FACTS: Literal["facts"] = "facts"


class _ReadPart(StageDoFn[SplitInput, list[SourceImage]]):
    stage = Stage.READ

    def results(
        self, element: SplitInput
    ) -> Iterator[list[SourceImage] | TaggedOutput[Literal["facts"], SplitFacts]]:
        """Yield the images of a part in batches, and what holds for the split as a whole."""
        self._facts: list[SplitFacts] = []
        if element.leads:
            self.ledger.read(element, Kind.FILE)
        try:
            yield from batched(self._images(element), BATCH_IMAGES)
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
        """Yield the images among a split's entries, and write down the others."""
        for entry in parse(split):
            match entry:
                case SourceImage():
                    self._keep(entry)
                    yield entry
                case SplitFacts():
                    self._facts.append(entry)
                case Count():
                    self.ledger.count(split, entry.kind, entry.outcome, entry.number)
                case Rejection():
                    self.ledger.enter(entry)

    def _keep(self, source_image: SourceImage) -> None:
        self.ledger.kept(source_image.image, Kind.IMAGE)
        self.ledger.kept(source_image.image, Kind.ANNOTATION, len(source_image.regions))
        self.ledger.items_kept(source_image.image, source_image.items)
        self.progress.add()


def batched(images: Iterable[SourceImage], size: int) -> Iterator[list[SourceImage]]:
    """Yield images in lists of a size, the last one shorter; what came before an error as well."""
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
    """SplitInput values -> batches of SourceImage; facts, rejections and tallies beside them."""

    splits: Sequence[SplitInput]
    parts: int

    def expand(self, pbegin: PBegin) -> ReadOutputs:
        """Parse every part of every split."""
        parts = pbegin | beam.Create(split_into_parts(self.splits, self.parts))
        return ReadOutputs(*run_stage_with(parts, _ReadPart(), _FACTS))

"""Read: owners' annotation files to images with their annotations.

Each split is read in as many parts as there are workers; every part passes once over the files.
An annotation file that cannot be used is itself a rejected item: the other splits go on, and
the build ends with an error that says what is wrong with it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import msgspec
from apache_beam.pvalue import PBegin, TaggedOutput

from pipelines.datasets.catalog import dataset
from pipelines.files import FileStore
from schemas.errors import InputFileError
from schemas.ledger import Stage
from schemas.rejection import Kind, Reason, Rejected, Rejection
from schemas.source import Count, SourceImage, SplitFacts, SplitInput
from transforms.accounting import BookedDoFn, booked

FACTS = "facts"


def split_into_parts(splits: Sequence[SplitInput], parts: int) -> list[SplitInput]:
    """Return the parts of all splits."""
    return [
        msgspec.structs.replace(split, part=part, parts=parts)
        for split in splits
        for part in range(parts)
    ]


class _ReadPart(BookedDoFn):
    stage = Stage.READ

    def process(self, element: SplitInput) -> Iterator[Any]:
        if element.leads:
            self.book.read(element, Kind.FILE)
        try:
            for entry in dataset(element.source).parse(element, FileStore()):
                match entry:
                    case SourceImage():
                        self._keep(entry)
                        yield entry
                    case SplitFacts():
                        yield TaggedOutput(FACTS, entry)
                    case Count():
                        self.book.count(element, entry.kind, entry.outcome, entry.number)
                    case Rejection():
                        self.book.enter(entry)
            if element.leads:
                self.book.kept(element, Kind.FILE)
        except InputFileError as error:
            if element.leads:
                cause = Rejected(Reason.UNREADABLE_FILE, str(error))
                name = element.files.get("annotations", element.split)
                self.book.reject(element, Kind.FILE, name, cause)
        yield from self.settle()

    def _keep(self, found: SourceImage) -> None:
        self.book.kept(found.image, Kind.IMAGE)
        self.book.kept(found.image, Kind.ANNOTATION, len(found.regions))
        self.progress.add()


@dataclass
class ReadSources(beam.PTransform[PBegin, Any]):
    """SplitInput values -> SourceImage, with facts of splits, rejections and tallies beside it."""

    splits: Sequence[SplitInput]
    parts: int

    def expand(self, pbegin: PBegin) -> Any:
        """Parse every part of every split."""
        parts = split_into_parts(self.splits, self.parts)
        return pbegin | beam.Create(parts) | "Parse" >> booked(_ReadPart(), FACTS)

"""Entries: what a source yields while it is read becomes images in batches, counts and facts."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Literal

from apache_beam.pvalue import TaggedOutput

from pipelines.captions.lookup import open_captions, with_captions
from pipelines.datasets.catalog import dataset
from pipelines.recipes.recipe import RECAPD_ROLE
from pipelines.storage.files import FileStore
from schemas.errors import InputFileError
from schemas.ledger import Stage
from schemas.rejection import Kind, Reason, Rejected, Rejection
from schemas.source import Count, Entry, Repaired, SourceImage, SplitFacts, SplitInput
from transforms.stage import Element, Result, StageDoFn

FACTS: Literal["facts"] = "facts"  # the tag of the output of facts

_BATCH_IMAGES = 64  # images in one element, which costs Beam less than an element each


def parse(split: SplitInput) -> Iterator[Entry]:
    """Yield the entries of a split, with the captions of its regions if there are any.

    Raises:
        InputFileError: a file cannot be used.
    """
    entries = dataset(split.owner or split.source).parse(split, FileStore())
    if RECAPD_ROLE in split.files:
        captioned = open_captions(split)
        return chain([captioned.total], with_captions(entries, split, captioned))
    return entries


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


class EntryDoFn(StageDoFn[Element, Result]):
    """A `DoFn` that reads: entries of its element become batches of images, counts and facts."""

    stage = Stage.READ

    def start_bundle(self) -> None:
        """Forget the facts of an earlier attempt at the bundle."""
        super().start_bundle()
        self._facts: list[SplitFacts] = []

    def batches(self, split: SplitInput, entries: Iterable[Entry]) -> Iterator[list[SourceImage]]:
        """Yield the images among entries, and record rejections, counts, repairs and facts."""
        yield from batched(self._images(split, entries), _BATCH_IMAGES)

    def whole(self, split: SplitInput) -> Iterator[list[SourceImage]]:
        """Yield the images of a split in batches, and count its file."""
        self.ledger.read(split, Kind.FILE)
        with self.unusable_file(split, counted=True):
            yield from self.batches(split, parse(split))
            self.ledger.kept(split, Kind.FILE)

    def record(self, split: SplitInput, entries: Iterable[Entry]) -> None:
        """Record entries among which no image is."""
        assert not list(self._images(split, entries))

    def facts(self) -> Iterator[TaggedOutput[Literal["facts"], SplitFacts]]:
        """Yield the facts that were recorded."""
        facts, self._facts = self._facts, []
        for fact in facts:
            yield TaggedOutput(FACTS, fact)

    @contextmanager
    def unusable_file(self, split: SplitInput, *, counted: bool) -> Iterator[None]:
        """Reject the file of a split if the block raises `InputFileError`.

        Args:
            split: the split.
            counted: whether the file was already counted as read.
        """
        try:
            yield
        except InputFileError as error:
            if not counted:
                self.ledger.read(split, Kind.FILE)
            cause = Rejected(Reason.UNREADABLE_FILE, str(error))
            name = split.files.get(split.split, split.split)
            self.ledger.reject(split, Kind.FILE, name, cause)

    def _images(self, split: SplitInput, entries: Iterable[Entry]) -> Iterator[SourceImage]:
        for entry in entries:
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

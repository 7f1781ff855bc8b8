"""Compose: from an image's regions to its conversations, which have all of a record but pixels."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection

from prompts import region_classification
from prompts.dialogue import assemble
from prompts.region_classification import Classification
from schemas.ids import sample_id
from schemas.ledger import Stage
from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import Draft, ScreenedImage, Task
from transforms.accounting import Book, BookedDoFn, booked


def compose_image(found: ScreenedImage, how: Classification, book: Book) -> Draft | None:
    """Return the image's conversations, or None where there is nothing to ask about."""
    image, regions = found.image, found.regions
    book.read(image, Kind.IMAGE)
    book.read(image, Kind.ANNOTATION, len(regions))
    if not regions:
        cause = Rejected(Reason.NO_REGIONS, "no usable annotation, expected at least one")
        book.reject(image, Kind.IMAGE, image.image_id, cause)
        return None
    at = (image.source, image.split, image.image_id, Task.REGION_CLASSIFICATION)
    draft = Draft(
        image=image,
        conversations=tuple(
            assemble(sample_id(*at, ordinal), how.style, exchanges)
            for ordinal, exchanges in enumerate(
                region_classification.dialogues(image, regions, found.label_set, how)
            )
        ),
    )
    book.kept(image, Kind.IMAGE)
    book.kept(image, Kind.ANNOTATION, len(draft.region_ids()))
    book.read(image, Kind.CONVERSATION, len(draft.conversations))
    book.kept(image, Kind.CONVERSATION, len(draft.conversations))
    return draft


class _ComposeImage(BookedDoFn):
    stage = Stage.COMPOSE

    def __init__(self, how: Classification) -> None:
        self._how = how

    def process(self, element: ScreenedImage) -> Iterator[Any]:
        draft = compose_image(element, self._how, self.book)
        if draft is not None:
            yield draft
            self.progress.add()
        yield from self.settle()


@dataclass
class ComposeConversations(beam.PTransform[PCollection[ScreenedImage], Any]):
    """ScreenedImage -> Draft, with rejections and tallies beside it."""

    how: Classification

    def expand(self, pcoll: PCollection[ScreenedImage]) -> Any:
        """Apply `compose_image` to every image."""
        return pcoll | booked(_ComposeImage(self.how))

"""Compose: from an image's regions and what is said of them to its conversations."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection
from msgspec.structs import replace

from prompts.catalog import DIALOGUES, EVALUATIONS
from prompts.dialogue import Exchange, assemble
from prompts.instruction import Instruction
from prompts.merging import merged
from schemas.ids import sample_id
from schemas.item import Description
from schemas.ledger import Stage
from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import MULTI_TASK, Conversation, Draft, ScreenedImage, Task
from transforms.ledger import Book, BookedDoFn, booked


def compose_image(
    found: ScreenedImage, tasks: Sequence[Task], how: Instruction, book: Book
) -> Draft | None:
    """Return the image's conversations, or None where there is nothing to ask about.

    Args:
        found: the image.
        tasks: those its source is used for.
        how: conversations are written.
        book: of the stage.
    """
    image = found.image
    book.read(image, Kind.IMAGE)
    book.read(image, Kind.ANNOTATION, len(found.regions))
    book.items_read(image, found.items)
    conversations, used = _conversations(found, tasks, how)
    draft = Draft(
        image, conversations, tuple((item.kind, item.id) for item in found.items if item.id in used)
    )
    _reject_unused(found, draft, book)
    if not conversations:
        return None
    book.kept(image, Kind.IMAGE)
    book.kept(image, Kind.ANNOTATION, len(draft.region_ids()))
    book.items_kept(image, [item for item in found.items if item.id in used])
    book.read(image, Kind.CONVERSATION, len(conversations))
    book.kept(image, Kind.CONVERSATION, len(conversations))
    return draft


def _conversations(
    found: ScreenedImage, tasks: Sequence[Task], how: Instruction
) -> tuple[tuple[Conversation, ...], set[str]]:
    if not found.regions and not found.items:
        return (), set()
    dialogues = EVALUATIONS if how.evaluation else DIALOGUES
    by_task = [dialogues[task](found, how) for task in tasks]
    apart = [talk for task in by_task for talk in task]
    talks = merged(by_task, found.items) if how.merge else apart
    ordinals: Counter[str] = Counter()  # of the records of each task
    conversations = []
    for exchanges in talks:
        spoken = {exchange.task for exchange in exchanges}
        task = MULTI_TASK if len(spoken) > 1 else str(exchanges[0].task)
        conversations.append(_record(found, exchanges, how, task, ordinals[task]))
        ordinals[task] += 1
    used = {item for talk in talks for exchange in talk for item in exchange.items}
    return tuple(conversations), used


def _record(
    found: ScreenedImage, exchanges: Sequence[Exchange], how: Instruction, task: str, ordinal: int
) -> Conversation:
    image = found.image
    record_id = sample_id(image.source, image.split, image.image_id, task, ordinal)
    talk = assemble(record_id, how.style, exchanges, text_only=image.file_name is None)
    by = next((item.captioner for item in found.items if isinstance(item, Description)), None)
    if by is None or all(region.caption is None for region in talk.regions):
        return talk
    return replace(talk, captioner=by)


def _reject_unused(found: ScreenedImage, draft: Draft, book: Book) -> None:
    image = found.image
    if not found.regions and not found.items:
        cause = Rejected(Reason.NO_REGIONS, "no usable annotation, expected at least one")
        book.reject(image, Kind.IMAGE, image.image_id, cause)
        return
    cause = Rejected(Reason.NOT_USED, "no conversation of this build is about it")
    if not draft.conversations:
        book.reject(image, Kind.IMAGE, image.image_id, cause)
    region_ids = set(draft.region_ids())
    if len(region_ids) < len(found.regions):
        for region in found.regions:
            if region.region_id not in region_ids:
                book.reject(image, Kind.ANNOTATION, region.region_id, cause)
    if len(draft.items) < len(found.items):
        used = set(draft.items)
        for item in found.items:
            if (item.kind, item.id) not in used:
                book.reject(image, item.kind, item.id, cause)


class _ComposeImages(BookedDoFn):
    stage = Stage.COMPOSE

    def __init__(self, tasks: Mapping[str, Sequence[Task]], how: Instruction) -> None:
        self._tasks = tasks
        self._how = how

    def process(self, element: Sequence[ScreenedImage]) -> Iterator[Any]:
        composed = [
            compose_image(found, self._tasks[found.image.source], self._how, self.book)
            for found in element
        ]
        drafts = [draft for draft in composed if draft is not None]
        yield drafts
        yield from self.settle()
        self.progress.add(len(drafts))  # what is left to be written


@dataclass
class ComposeConversations(beam.PTransform[PCollection[list[ScreenedImage]], Any]):
    """Batches of ScreenedImage -> of Draft, with rejections and tallies beside them."""

    tasks: Mapping[str, Sequence[Task]]  # of each source
    how: Instruction

    def expand(self, pcoll: PCollection[list[ScreenedImage]]) -> Any:
        """Apply `compose_image` to every image."""
        return pcoll | booked(_ComposeImages(self.tasks, self.how))

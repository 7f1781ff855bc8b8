"""Compose: the step that makes an image's conversations from its regions and items."""

from collections import Counter
from collections.abc import Sequence

from msgspec.structs import replace

from prompts.catalog import DIALOGUES, EVALUATIONS
from prompts.dialogue import Exchange, assemble
from prompts.instruction import Instruction
from prompts.merging import merged
from schemas.ids import sample_id
from schemas.item import DetailedCaption
from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import MULTI_TASK, Conversation, Draft, ImageInfo, ScreenedImage, Task
from transforms.ledger import StageLedger


def compose_image(
    screened: ScreenedImage, tasks: Sequence[Task], instruction: Instruction, ledger: StageLedger
) -> Draft | None:
    """Return the image's conversations, or None where no task makes any.

    Args:
        screened: the image.
        tasks: the tasks of the image's source, in this build.
        instruction: the wordings, style and mode of the conversations.
        ledger: the ledger of the stage.
    """
    image = screened.image
    ledger.read(image, Kind.IMAGE)
    ledger.read(image, Kind.ANNOTATION, len(screened.regions))
    ledger.items_read(image, screened.items)
    conversations, exchanges = _conversations(screened, tasks, instruction)
    used = {item for exchange in exchanges for item in exchange.items}
    items = [(item.kind, item.id) for item in screened.items if item.id in used]
    items += [(Kind.PHRASE, exchange.phrase) for exchange in exchanges if exchange.phrase]
    draft = Draft(image, conversations, tuple(items))
    _reject_unused(screened, draft, ledger)
    _count_phrases(image, exchanges, ledger)
    if not conversations:
        return None
    ledger.kept(image, Kind.IMAGE)
    ledger.kept(image, Kind.ANNOTATION, len(draft.region_ids()))
    ledger.items_kept(image, [item for item in screened.items if item.id in used])
    ledger.read(image, Kind.CONVERSATION, len(conversations))
    ledger.kept(image, Kind.CONVERSATION, len(conversations))
    return draft


def _conversations(
    screened: ScreenedImage, tasks: Sequence[Task], instruction: Instruction
) -> tuple[tuple[Conversation, ...], list[Exchange]]:
    """Return an image's conversations, and their exchanges."""
    if not screened.regions and not screened.items:
        return (), []
    dialogues = EVALUATIONS if instruction.evaluation else DIALOGUES
    by_task = [dialogues[task](screened, instruction) for task in tasks]
    apart = [talk for task in by_task for talk in task]
    talks = merged(by_task, screened.items) if instruction.merge else apart
    ordinals: Counter[str] = Counter()  # of the records of each task
    conversations = []
    for exchanges in talks:
        tasks_of_turns = {exchange.task for exchange in exchanges}
        task = MULTI_TASK if len(tasks_of_turns) > 1 else str(exchanges[0].task)
        conversations.append(_record(screened, exchanges, instruction, task, ordinals[task]))
        ordinals[task] += 1
    return tuple(conversations), [exchange for talk in talks for exchange in talk]


def _record(
    screened: ScreenedImage,
    exchanges: Sequence[Exchange],
    instruction: Instruction,
    task: str,
    ordinal: int,
) -> Conversation:
    image = screened.image
    record_id = sample_id(image.source, image.split, image.image_id, task, ordinal)
    talk = assemble(record_id, instruction.style, exchanges, text_only=image.file_name is None)
    captioner = next(
        (item.captioner for item in screened.items if isinstance(item, DetailedCaption)), None
    )
    if captioner is None or all(region.caption is None for region in talk.regions):
        return talk
    return replace(talk, captioner=captioner)


def _reject_unused(screened: ScreenedImage, draft: Draft, ledger: StageLedger) -> None:
    image = screened.image
    if not screened.regions and not screened.items:
        cause = Rejected(Reason.NO_REGIONS, "no usable annotation, expected at least one")
        ledger.reject(image, Kind.IMAGE, image.image_id, cause)
        return
    cause = Rejected(Reason.NOT_USED, "no conversation of this build is about it")
    if not draft.conversations:
        ledger.reject(image, Kind.IMAGE, image.image_id, cause)
    region_ids = set(draft.region_ids())
    if len(region_ids) < len(screened.regions):
        for region in screened.regions:
            if region.region_id not in region_ids:
                ledger.reject(image, Kind.ANNOTATION, region.region_id, cause)
    used = set(draft.items)
    for item in screened.items:
        if (item.kind, item.id) not in used:
            ledger.reject(image, item.kind, item.id, cause)


def _count_phrases(image: ImageInfo, exchanges: Sequence[Exchange], ledger: StageLedger) -> None:
    """Count the phrases with a turn of their own, and reject the others of their captions."""
    for exchange in exchanges:
        if exchange.phrase:
            ledger.read(image, Kind.PHRASE, 1 + len(exchange.other_phrases))
            ledger.kept(image, Kind.PHRASE)
        for phrase_id in exchange.other_phrases:
            detail = f"the turn about its regions is that of {exchange.phrase}: {exchange.answer!r}"
            cause = Rejected(Reason.CAPTION_TURN_ONLY, detail)
            ledger.reject(image, Kind.PHRASE, phrase_id, cause)

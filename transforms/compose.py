"""Compose: the step that makes an image's conversations from its regions and items."""

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from prompts.catalog import DIALOGUES, EVALUATIONS
from prompts.cutting import fitting_turns
from prompts.dialogue import Exchange, assemble
from prompts.instruction import Instruction
from prompts.merging import merged
from prompts.weighting import weighted
from schemas.ids import sample_id
from schemas.item import DetailedCaption
from schemas.limits import MAX_GROUP
from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import Conversation, Draft, ImageInfo, ScreenedImage, Task
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
    talks, left_out = _talks(screened, tasks, instruction)
    conversations = _records(screened, talks, instruction)
    exchanges = [exchange for talk in talks for exchange in talk]
    used = {item for exchange in exchanges for item in exchange.items}
    items = [(item.kind, item.id) for item in screened.items if item.id in used]
    items += [(Kind.PHRASE, exchange.phrase) for exchange in exchanges if exchange.phrase]
    draft = Draft(image, conversations, tuple(items))
    _count_unused(screened, draft, left_out, ledger)
    _count_phrases(image, exchanges, ledger)
    if not conversations:
        return None
    ledger.kept(image, Kind.IMAGE)
    ledger.kept(image, Kind.ANNOTATION, len(draft.region_ids()))
    ledger.items_kept(image, [item for item in screened.items if item.id in used])
    ledger.read(image, Kind.CONVERSATION, len(conversations))
    ledger.kept(image, Kind.CONVERSATION, len(conversations))
    return draft


def _talks(
    screened: ScreenedImage, tasks: Sequence[Task], instruction: Instruction
) -> tuple[list[list[Exchange]], list[list[Exchange]]]:
    """Return the exchanges of an image's conversations, and of those that the weights leave out."""
    if not screened.regions and not screened.items:
        return [], []
    dialogues = EVALUATIONS if instruction.evaluation else DIALOGUES
    by_task = [dialogues[task](screened, instruction) for task in tasks]
    left_out: list[list[Exchange]] = []
    if shares := instruction.weights.get(screened.image.source):
        hasher = instruction.hasher(screened.image)
        chosen = [
            weighted(talks, task, shares.get(task, 1), hasher)
            for task, talks in zip(tasks, by_task, strict=True)
        ]
        by_task = [kept for kept, _ in chosen]
        left_out = [talk for _, others in chosen for talk in others]
    apart = [talk for talks in by_task for talk in talks]
    return merged(by_task, screened.items) if instruction.merge else apart, left_out


def _records(
    screened: ScreenedImage, talks: Iterable[list[Exchange]], instruction: Instruction
) -> tuple[Conversation, ...]:
    """Return the conversations of exchanges; too long ones are cut."""
    ordinals: dict[str, int] = {}  # of the next record of each task
    conversations = []
    for exchanges in talks:
        for talk in _assembled(screened.image, exchanges, instruction):
            task = talk.task
            ordinal = ordinals.get(task, 0)
            conversations.append(_record(screened, talk, ordinal))
            ordinals[task] = ordinal + 1
    return tuple(conversations)


def _assembled(
    image: ImageInfo, exchanges: list[Exchange], instruction: Instruction
) -> Iterator[Conversation]:
    """Yield the conversations of exchanges, without ids: one, or several where it is too long."""
    text_only = image.file_name is None
    while exchanges:
        talk = assemble("", instruction.style, exchanges, text_only=text_only)
        if instruction.evaluation:
            number = len(exchanges)
        else:
            number = fitting_turns(talk.messages, exchanges, instruction.max_words)
        if number < len(exchanges):
            talk = assemble("", instruction.style, exchanges[:number], text_only=text_only)
        yield talk
        exchanges = exchanges[number:]


def _record(screened: ScreenedImage, talk: Conversation, ordinal: int) -> Conversation:
    """Return a conversation with its id, and the captioner of its regions' captions."""
    image = screened.image
    record_id = sample_id(image.source, image.split, image.image_id, talk.task, ordinal)
    captioner = next(
        (item.captioner for item in screened.items if isinstance(item, DetailedCaption)), None
    )
    if captioner is None or all(region.caption is None for region in talk.regions):
        return replace(talk, id=record_id)
    return replace(talk, id=record_id, captioner=captioner)


def _count_unused(
    screened: ScreenedImage, draft: Draft, left_out: Sequence[list[Exchange]], ledger: StageLedger
) -> None:
    """Count what only left out conversations need as sampled out; reject what none needs."""
    image = screened.image
    if not screened.regions and not screened.items:
        cause = Rejected(Reason.NO_REGIONS, "no usable annotation, expected at least one")
        ledger.reject(image, Kind.IMAGE, image.image_id, cause)
        return
    if left_out:
        _count_left_out(image, left_out, ledger)
    exchanges = [exchange for talk in left_out for exchange in talk]
    regions = {region_id for turn in exchanges for region_id in turn.region_ids()}
    items = {item_id for turn in exchanges for item_id in turn.items}
    unused = [] if draft.conversations else [(Kind.IMAGE, image.image_id, bool(left_out))]
    region_ids = set(draft.region_ids())
    if len(region_ids) < len(screened.regions):
        ids = [region.region_id for region in screened.regions]
        unused += [
            (Kind.ANNOTATION, name, name in regions) for name in ids if name not in region_ids
        ]
    if screened.items:
        used = set(draft.items)
        unused += [
            (item.kind, item.id, item.id in items)
            for item in screened.items
            if (item.kind, item.id) not in used
        ]
    if not unused:
        return
    cause = Rejected(Reason.NOT_USED, "no conversation of this build is about it")
    for kind, name, sampled_out in unused:
        if sampled_out:
            ledger.sampled_out(image, kind)
        else:
            ledger.reject(image, kind, name, cause)


def _count_left_out(
    image: ImageInfo, left_out: Sequence[list[Exchange]], ledger: StageLedger
) -> None:
    """Count conversations that the weights leave out, and their phrases."""
    phrases = sum(turn.phrases() for talk in left_out for turn in talk)
    for kind, number in ((Kind.CONVERSATION, len(left_out)), (Kind.PHRASE, phrases)):
        ledger.read(image, kind, number)
        ledger.sampled_out(image, kind, number)


def _count_phrases(image: ImageInfo, exchanges: Sequence[Exchange], ledger: StageLedger) -> None:
    """Count the phrases with a turn of their own, and reject the others of their captions."""
    for exchange in exchanges:
        if not exchange.phrases():
            continue
        ledger.read(image, Kind.PHRASE, exchange.phrases())
        ledger.kept(image, Kind.PHRASE, int(bool(exchange.phrase)))
        for phrase_id in exchange.other_phrases:
            detail = f"the turn about its regions is that of {exchange.phrase}: {exchange.answer!r}"
            if not exchange.phrase:
                detail = (
                    f"it is about more than {MAX_GROUP} regions, which no turn names one by one"
                )
            cause = Rejected(Reason.CAPTION_TURN_ONLY, detail)
            ledger.reject(image, Kind.PHRASE, phrase_id, cause)

"""Screen what is said of an image: text is cleaned, and every region it needs must be usable."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from schemas.item import (
    CaptionRef,
    Choices,
    DetailedCaption,
    Dialogue,
    Expression,
    GroundedCaption,
    Item,
    Mention,
    Passage,
    Question,
    Relationship,
    Round,
    YesNoQuestion,
    mentioned,
    plain_text,
)
from schemas.rejection import Reason, Rejected
from schemas.sample import Region
from schemas.text import clean, clean_passage, clean_turn

Regions = Mapping[str, Region | Rejected]  # by id: usable, or why not


def screen_item(item: Item, regions: Regions, *, has_picture: bool = True) -> Item:
    """Return the item with clean text.

    Args:
        item: as its owner wrote it.
        regions: that it may need.
        has_picture: it is said of a picture; of a text alone, something must be asked at first.

    Raises:
        Rejected: a region it needs is unknown or was rejected, or its text cannot be used.
    """
    match item:
        case GroundedCaption():
            return _screen_caption(item, regions)
        case Dialogue():
            return replace(item, rounds=_screen_rounds(item.rounds, has_picture=has_picture))
        case Question():
            return _screen_question(item, regions)
    _check_regions(item.region_ids(), regions)
    match item:
        case Expression() | DetailedCaption() | YesNoQuestion():
            return replace(item, text=clean(item.text))
        case Relationship():
            return replace(item, predicate=clean(item.predicate))
        case CaptionRef():
            return item


def _screen_question(item: Question, regions: Regions) -> Question:
    """Let the choices tell first which of them cannot be used: the right one is among them."""
    answers = _screen_choices("answers", item.answers, regions)
    rationales = _screen_choices("rationales", item.rationales, regions)
    _check_regions(item.region_ids(), regions)
    return replace(
        item,
        question=clean_passage(item.question),
        answer=clean_passage(item.answer),
        rationale=clean_passage(item.rationale),
        answers=answers,
        rationales=rationales,
    )


def _screen_choices(name: str, found: Choices | None, regions: Regions) -> Choices | None:
    """Return the choices clean; two wrong ones may read the same, but none as the right one."""
    if found is None:
        return None
    passages = []
    for position, passage in enumerate(found.passages):
        try:
            _check_regions(mentioned(passage), regions)
            passages.append(clean_passage(passage))
        except Rejected as cause:
            raise Rejected(cause.reason, f"{name}[{position}]: {cause.detail}") from None
    told = [_told(passage) for passage in passages]
    right = told.pop(found.label)
    if right in told:
        twin = told.index(right)
        twin += twin >= found.label
        raise Rejected(
            Reason.AMBIGUOUS_LABEL,
            f"{name}[{twin}] reads as the right one, {name}[{found.label}], does: "
            f"{plain_text(passages[twin])[:80]!r}",
        )
    return replace(found, passages=tuple(passages))


def _told(passage: Passage) -> str:
    """Return what a clean passage says, the same however it is cut in pieces."""
    return "".join(
        f"{piece.text}\0{' '.join(piece.region_ids)}\0" if isinstance(piece, Mention) else piece
        for piece in passage
    ).strip()


def _screen_caption(item: GroundedCaption, regions: Regions) -> GroundedCaption:
    """Make plain words of a phrase that stands for a region that cannot be used.

    The caption holds without the region, but the phrase ("three dogs") not of the others alone.
    """
    causes = []
    pieces: list[str | Mention] = []
    for piece in item.caption:
        try:
            _check_regions(mentioned((piece,)), regions)
            pieces.append(piece)
        except Rejected as cause:
            causes.append(cause)
            pieces.append(plain_text((piece,)))
    caption: Passage = clean_passage(tuple(pieces))
    screened = replace(item, caption=caption)
    if not screened.region_ids():
        raise (
            causes[0]
            if causes
            else Rejected(
                Reason.NO_REGIONS, f"no words of {plain_text(caption)[:80]!r} stand for a region"
            )
        )
    return screened


def _screen_rounds(rounds: Sequence[Round], *, has_picture: bool) -> tuple[Round, ...]:
    """Return the rounds clean; the first may show a picture without a word."""
    screened = []
    for place, found in enumerate(rounds):
        wordless = has_picture and place == 0 and not found.request
        request = "" if wordless else clean_turn(found.request)
        screened.append(Round(request, clean_turn(found.answer)))
    return tuple(screened)


def _check_regions(region_ids: Iterable[str], regions: Regions) -> None:
    for region_id in region_ids:
        _check_region(region_id, regions)


def _check_region(region_id: str, regions: Regions) -> None:
    found = regions.get(region_id)
    if found is None:
        raise Rejected(Reason.UNKNOWN_REGION, f"the image has no region {region_id}")
    if isinstance(found, Rejected):
        raise Rejected(Reason.REGION_REJECTED, f"region {region_id}: {found.reason}")

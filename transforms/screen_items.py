"""The screening of items: text is cleaned, and all regions that an item needs must be usable."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

from msgspec.structs import replace

from schemas.item import (
    AbsentExpression,
    Attribute,
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
    RegionAttributes,
    RegionQuestion,
    Relationship,
    Round,
    YesNoQuestion,
    mentioned,
    plain_text,
)
from schemas.rejection import Reason, Rejected
from schemas.sample import Region
from schemas.text import clean, clean_passage, clean_turn

Regions = Mapping[str, Region | Rejected]  # by id: a usable region, or its rejection


def screen_item(item: Item, regions: Regions, *, has_picture: bool = True) -> Item:
    """Return the item with clean text.

    Args:
        item: the item as its owner wrote it.
        regions: the regions of the item's image, or the rejections of unusable regions, by id.
        has_picture: whether the image has a picture; if not, a dialogue must begin with words.

    Raises:
        Rejected: a region that the item needs is unknown or rejected, or its text cannot be used.
    """
    match item:
        case GroundedCaption():
            return _screen_caption(item, regions)
        case Dialogue():
            return replace(item, rounds=_screen_rounds(item.rounds, has_picture=has_picture))
        case Question():
            return _screen_question(item, regions)
        case RegionQuestion():
            return _screen_region_question(item, regions)
    _check_regions(item.region_ids(), regions)
    match item:
        case Expression() | YesNoQuestion():
            return replace(item, text=clean(item.text))
        case DetailedCaption():
            captions = tuple(replace(each, text=clean(each.text)) for each in item.captions)
            attributes = _screen_attributes(item.attributes)
            text = clean(item.text)
            return replace(item, text=text, captions=captions, attributes=attributes)
        case RegionAttributes():
            return replace(item, attributes=_screen_attributes(item.attributes))
        case Relationship():
            return replace(item, predicate=clean(item.predicate))
        case CaptionRef():
            return item


def _screen_attributes(attributes: Iterable[Attribute]) -> tuple[Attribute, ...]:
    return tuple(replace(each, value=clean(each.value)) for each in attributes)


def screen_absent(expressions: Iterable[AbsentExpression]) -> tuple[AbsentExpression, ...]:
    """Return the expressions of other images with clean text, without those of unusable text.

    Such an expression is counted and, if need be, rejected with the image that it is about.
    """
    usable = []
    for expression in expressions:
        with suppress(Rejected):
            usable.append(replace(expression, text=clean(expression.text)))
    return tuple(usable)


def _screen_question(item: Question, regions: Regions) -> Question:
    """Return the question with clean text; choices come first, because their errors name them."""
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


def _screen_region_question(item: RegionQuestion, regions: Regions) -> RegionQuestion:
    """Return the question with clean text; options come first, because their errors name them."""
    options = _screen_choices("options", item.options, regions)
    _check_regions(item.region_ids(), regions)
    question, answer = clean_passage(item.question), clean_passage(item.answer)
    return replace(item, question=question, answer=answer, options=options)


def _screen_choices(name: str, choices: Choices | None, regions: Regions) -> Choices | None:
    """Return the choices with clean text; reject a wrong choice that reads like the right one."""
    if choices is None:
        return None
    passages = []
    for position, passage in enumerate(choices.passages):
        try:
            _check_regions(mentioned(passage), regions)
            passages.append(clean_passage(passage))
        except Rejected as cause:
            raise Rejected(cause.reason, f"{name}[{position}]: {cause.detail}") from None
    wrong = [_reading(passage) for passage in passages]
    right = wrong.pop(choices.label)
    if right in wrong:
        twin = wrong.index(right)
        twin += twin >= choices.label
        raise Rejected(
            Reason.AMBIGUOUS_LABEL,
            f"{name}[{twin}] reads as the right one, {name}[{choices.label}], does: "
            f"{plain_text(passages[twin])[:80]!r}",
        )
    return replace(choices, passages=tuple(passages))


def _reading(passage: Passage) -> str:
    """Return the words and regions of a clean passage, independent of the cuts between pieces."""
    return "".join(
        f"{piece.text}\0{' '.join(piece.region_ids)}\0" if isinstance(piece, Mention) else piece
        for piece in passage
    ).strip()


def _screen_caption(item: GroundedCaption, regions: Regions) -> GroundedCaption:
    """Return the caption with clean text; a phrase of an unusable region becomes plain words.

    The caption is still true without the region. The phrase ("three dogs") would be wrong about the
    other regions alone.
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
    """Return the rounds with clean text; the first request may be empty if there is a picture."""
    screened = []
    for number, each in enumerate(rounds):
        wordless = has_picture and number == 0 and not each.request
        request = "" if wordless else clean_turn(each.request)
        screened.append(Round(request, clean_turn(each.answer)))
    return tuple(screened)


def _check_regions(region_ids: Iterable[str], regions: Regions) -> None:
    for region_id in region_ids:
        _check_region(region_id, regions)


def _check_region(region_id: str, regions: Regions) -> None:
    region = regions.get(region_id)
    if region is None:
        raise Rejected(Reason.UNKNOWN_REGION, f"the image has no region {region_id}")
    if isinstance(region, Rejected):
        raise Rejected(Reason.REGION_REJECTED, f"region {region_id}: {region.reason}")

"""Screen what is said of an image: text is cleaned, and every region it needs must be usable."""

from collections.abc import Mapping

from msgspec.structs import replace

from schemas.item import (
    Dialogue,
    Expression,
    GroundedCaption,
    Item,
    Mention,
    Passage,
    Question,
    Relationship,
    Round,
    plain_text,
)
from schemas.rejection import Reason, Rejected
from schemas.sample import Region
from schemas.text import clean, clean_passage, clean_turn

Regions = Mapping[str, Region | Rejected]  # by id: usable, or why not


def screen_item(item: Item, regions: Regions) -> Item:
    """Return the item with clean text.

    Raises:
        Rejected: a region it needs is unknown or was rejected, or its text cannot be used.
    """
    match item:
        case GroundedCaption():
            return _screen_caption(item, regions)
        case Dialogue():
            return replace(item, rounds=tuple(map(_screen_round, item.rounds)))
    for region_id in item.region_ids():
        _check_region(region_id, regions)
    match item:
        case Expression():
            return replace(item, text=clean(item.text))
        case Relationship():
            return replace(item, predicate=clean(item.predicate))
        case Question():
            return replace(
                item,
                question=clean_passage(item.question),
                answer=clean_passage(item.answer),
                rationale=clean_passage(item.rationale),
            )


def _screen_caption(item: GroundedCaption, regions: Regions) -> GroundedCaption:
    """Drop the regions that cannot be used; the words stay, for the caption holds without them."""
    causes = []
    pieces: list[str | Mention] = []
    for piece in item.caption:
        if isinstance(piece, Mention):
            usable = []
            for region_id in piece.region_ids:
                try:
                    _check_region(region_id, regions)
                    usable.append(region_id)
                except Rejected as cause:
                    causes.append(cause)
            pieces.append(replace(piece, region_ids=tuple(usable)) if usable else piece.text)
        else:
            pieces.append(piece)
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


def _screen_round(found: Round) -> Round:
    return Round(clean_turn(found.request), clean_turn(found.answer))


def _check_region(region_id: str, regions: Regions) -> None:
    found = regions.get(region_id)
    if found is None:
        raise Rejected(Reason.UNKNOWN_REGION, f"the image has no region {region_id}")
    if isinstance(found, Rejected):
        raise Rejected(Reason.REGION_REJECTED, f"region {region_id}: {found.reason}")

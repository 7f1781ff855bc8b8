"""Visual Genome's annotations of one image: described regions, and related objects.

A described region keeps the owner's id; the id of an object begins with "object/", and the id of a
relationship with "relationship/", because the owner's numbers repeat across kinds.

Objects are the ends of relationships. The owner gives one id to different things, so an object
with another box or name is another region: a relationship keeps the boxes and names that it states.

    object/5046      the id has one box and name in all relationships of the image
    object/5046/1    the id has several: the first, by relationship ids and subjects before objects
    object/5046/2    the second

A relationship of the same id and name at both ends is of a thing to itself, and is not used.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain

from pipelines.datasets.common.entries import Refused
from pipelines.datasets.common.raw_items import ItemId, Raw
from pipelines.datasets.visual_genome.aliases import Aliases
from pipelines.datasets.visual_genome.records import (
    REGION,
    RELATIONSHIP,
    RELATIONSHIPS,
    XYWH,
    VgObject,
    VgRelationship,
    index_items,
)
from schemas.geometry import Box, xyxy
from schemas.item import Expression, Item, Relationship
from schemas.rejection import Kind, Reason, Rejected
from schemas.source import SourceRegion

_UNKNOWN_BOX: Box = (math.nan,) * 4

_Form = tuple[ItemId, XYWH, str]  # an object as a relationship states it: id, box, name


@dataclass(slots=True)
class ImageAnnotations:
    """The regions and items of an image, and the refused items."""

    regions: list[SourceRegion] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    refused: list[tuple[Kind, Refused]] = field(default_factory=list)
    objects: int = 0  # the number of the regions that are objects


def add_regions(annotations: ImageAnnotations, image_id: ItemId, items: Iterable[Raw]) -> None:
    """Add an image's described regions, each with a phrase.

    A phrase that repeats another phrase of the box is a duplicate, and so is its region. Phrases
    that differ only in case and blanks are the same.
    """
    regions, refused = index_items(items, REGION, f"regions of image {image_id}")
    known: set[tuple[XYWH, str]] = set()
    for item_id, region in regions.items():
        phrase = " ".join(region.phrase.casefold().split())
        if region.image not in ("", image_id):
            detail = f"is of image {region.image}, but stands among the regions of {image_id}"
            refused.append((str(item_id), Rejected(Reason.MALFORMED, detail)))
        elif (region.box, phrase) in known:
            detail = f"{phrase[:80]!r} was said of the box {_numbers(region.box)} before"
            refused.append((str(item_id), Rejected(Reason.DUPLICATE, detail)))
        else:
            known.add((region.box, phrase))
            annotations.regions.append(SourceRegion(str(item_id), xyxy_of(region.box)))
            annotations.items.append(Expression(str(item_id), str(item_id), region.phrase))
    for refusal in refused:
        annotations.refused += [(Kind.ANNOTATION, refusal), (Kind.SENTENCE, refusal)]


def add_relationships(
    annotations: ImageAnnotations, image_id: ItemId, items: Iterable[Raw], aliases: Aliases
) -> None:
    """Add an image's relationships, and a region for each form of the objects at their ends.

    A relationship that repeats another one of the same regions is a duplicate. Predicates that
    differ only in case, blanks and an article at the end are the same, and so are aliases.
    """
    relationships, refused = index_items(items, RELATIONSHIP, f"relationships of image {image_id}")
    ends = {item_id: _ends(relationship) for item_id, relationship in relationships.items()}
    objects = _region_ids(chain.from_iterable(ends.values()))
    known: set[tuple[str, str, str]] = set()
    for item_id, forms in ends.items():
        predicate = relationships[item_id].predicate
        subject, object_ = (objects[form] for form in forms)
        says = {(subject, meaning, object_) for meaning in aliases.meanings(predicate)}
        if _are_one(*forms):
            detail = f"has {subject}, {object_} at its ends: the same id and name"
            refused.append((str(item_id), Rejected(Reason.NOT_USED, detail)))
        elif known.isdisjoint(says):
            known |= says
            annotations.items.append(
                Relationship(_relationship_id(item_id), subject, predicate, object_)
            )
        else:
            detail = f"what {predicate[:80]!r} says of {subject}, {object_} was said before"
            refused.append((str(item_id), Rejected(Reason.DUPLICATE, detail)))
    for item_id, cause in refused:
        annotations.refused.append((Kind.RELATIONSHIP, (_relationship_id(item_id), cause)))
    annotations.objects += len(objects)
    annotations.regions += [
        SourceRegion(region_id, xyxy_of(box), category=name)
        for (_, box, name), region_id in objects.items()
    ]


def _ends(relationship: VgRelationship) -> tuple[_Form, _Form]:
    subject, object_ = relationship.subject, relationship.object
    return _form(subject), _form(object_)


def _form(end: VgObject) -> _Form:
    return end.id, end.box, " ".join((end.name or "").split())


def _are_one(form: _Form, other: _Form) -> bool:
    """Return whether two forms are one thing: an owner's merging leaves it with several boxes."""
    return (form[0], form[2].casefold()) == (other[0], other[2].casefold())


def _region_ids(forms: Iterable[_Form]) -> Mapping[_Form, str]:
    """Return the id of the region of each form; an odd id like "5046/1" meets no other's."""
    by_object: defaultdict[ItemId, dict[_Form, None]] = defaultdict(dict)
    for form in forms:
        by_object[form[0]][form] = None
    region_ids: dict[_Form, str] = {}
    for number, several in by_object.items():
        numbered = len(several) > 1 or "/" in str(number)
        for position, form in enumerate(several, start=1):
            region_ids[form] = f"object/{number}/{position}" if numbered else f"object/{number}"
    return region_ids


def xyxy_of(box: XYWH) -> Box:
    """Return the xyxy form of a box in pixels, NaN where a number is missing."""
    x, y, width, height = box
    if x is None or y is None or width is None or height is None:
        return _UNKNOWN_BOX
    return xyxy(x, y, width, height)


def _numbers(box: XYWH) -> str:
    return " ".join("?" if number is None else f"{number:g}" for number in box)


def _relationship_id(number: ItemId) -> str:
    return f"{RELATIONSHIPS.prefix}{number}"

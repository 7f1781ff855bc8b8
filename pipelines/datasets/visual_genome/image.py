"""Visual Genome's annotations of one image: described regions, and related objects.

A described region keeps the owner's id; the id of an object begins with "object/", and the id of a
relationship with "relationship/", because the owner's numbers repeat across kinds. Objects are
the ends of relationships. An object may have different boxes and names in different relationships:
the merged form is used, else the most frequent; every other box is rejected as `duplicate_id`.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

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

_Form = tuple[bool, XYWH, str]  # the form of an object: merged or not, box, name


@dataclass(slots=True)
class ImageAnnotations:
    """The regions and items of an image, and the refused items."""

    regions: list[SourceRegion] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    refused: list[tuple[Kind, Refused]] = field(default_factory=list)
    objects: int = 0  # the number of boxes of objects that were read


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
            annotations.regions.append(SourceRegion(str(item_id), _xyxy(region.box)))
            annotations.items.append(Expression(str(item_id), str(item_id), region.phrase))
    for refusal in refused:
        annotations.refused += [(Kind.ANNOTATION, refusal), (Kind.SENTENCE, refusal)]


def add_relationships(
    annotations: ImageAnnotations, image_id: ItemId, items: Iterable[Raw], aliases: Aliases
) -> None:
    """Add an image's relationships and the objects at their ends, each once.

    A relationship that repeats another one of the same objects is a duplicate. Predicates that
    differ only in case, blanks and an article at the end are the same, and so are aliases.
    """
    relationships, refused = index_items(items, RELATIONSHIP, f"relationships of image {image_id}")
    known: set[tuple[ItemId, str, ItemId]] = set()
    for item_id, relationship in relationships.items():
        predicate = relationship.predicate
        ends = relationship.subject.id, relationship.object.id
        says = {(ends[0], meaning, ends[1]) for meaning in aliases.meanings(predicate)}
        if not known.isdisjoint(says):
            detail = f"what {predicate[:80]!r} says of objects {ends[0]}, {ends[1]} was said before"
            refused.append((str(item_id), Rejected(Reason.DUPLICATE, detail)))
            continue
        known |= says
        subject, object_ = (_object_id(end) for end in ends)
        annotations.items.append(
            Relationship(_relationship_id(item_id), subject, predicate, object_)
        )
    for item_id, cause in refused:
        annotations.refused.append((Kind.RELATIONSHIP, (_relationship_id(item_id), cause)))
    _add_objects(annotations, relationships.values())


def _add_objects(annotations: ImageAnnotations, relationships: Iterable[VgRelationship]) -> None:
    forms: dict[ItemId, Counter[_Form]] = {}
    for end in _ends(relationships):
        form = bool(end.merged_object_ids), end.box, end.name or ""
        forms.setdefault(end.id, Counter())[form] += 1
    for number, counts in forms.items():
        _, box, name = min(counts, key=lambda form: _preference(form, counts[form]))
        others = {form[1] for form in counts} - {box}
        annotations.objects += 1 + len(others)
        annotations.regions.append(SourceRegion(_object_id(number), _xyxy(box), category=name))
        for other in others:
            detail = f"has the box {_numbers(box)}, and here {_numbers(other)}"
            refusal = _object_id(number), Rejected(Reason.DUPLICATE_ID, detail)
            annotations.refused.append((Kind.ANNOTATION, refusal))


def _ends(relationships: Iterable[VgRelationship]) -> Iterator[VgObject]:
    for relationship in relationships:
        yield relationship.subject
        yield relationship.object


def _preference(form: _Form, times: int) -> tuple[bool, int, str, str]:
    merged, box, name = form
    return not merged, -times, repr(box), name


def _xyxy(box: XYWH) -> Box:
    x, y, width, height = box
    if x is None or y is None or width is None or height is None:
        return _UNKNOWN_BOX
    return xyxy(x, y, width, height)


def _numbers(box: XYWH) -> str:
    return " ".join("?" if number is None else f"{number:g}" for number in box)


def _object_id(number: ItemId) -> str:
    return f"object/{number}"


def _relationship_id(number: ItemId) -> str:
    return f"{RELATIONSHIPS.prefix}{number}"

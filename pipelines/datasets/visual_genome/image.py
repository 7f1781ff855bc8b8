"""What Visual Genome says of one image: described regions, and related objects.

A described region keeps the owner's id; an object's has "object/" before it, and a relationship's
"relationship/", for the owner numbers each kind on its own and their numbers can meet. Objects are
those that a relationship has as an end. One object may come with several boxes and names there:
the merged form is taken, else the most frequent; each other box is rejected as `duplicate_id`.
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

UNKNOWN_BOX: Box = (math.nan,) * 4

Form = tuple[bool, XYWH, str]  # how an object is drawn and called: merged, box, name


@dataclass(slots=True)
class Said:
    """The regions and items of an image, and what was refused of them."""

    regions: list[SourceRegion] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    refused: list[tuple[Kind, Refused]] = field(default_factory=list)
    objects: int = 0  # boxes of objects that were read


def add_regions(said: Said, image_id: ItemId, items: Iterable[Raw]) -> None:
    """Add an image's described regions, each with its phrase.

    A phrase that was said of the same box before is a duplicate, and so is its region; case and
    blanks do not tell phrases apart.
    """
    found, refused = index_items(items, REGION, f"regions of image {image_id}")
    known: set[tuple[XYWH, str]] = set()
    for item_id, region in found.items():
        phrase = " ".join(region.phrase.casefold().split())
        if region.image not in ("", image_id):
            detail = f"is of image {region.image}, but stands among the regions of {image_id}"
            refused.append((str(item_id), Rejected(Reason.MALFORMED, detail)))
        elif (region.box, phrase) in known:
            detail = f"{phrase[:80]!r} was said of the box {_numbers(region.box)} before"
            refused.append((str(item_id), Rejected(Reason.DUPLICATE, detail)))
        else:
            known.add((region.box, phrase))
            said.regions.append(SourceRegion(str(item_id), _xyxy(region.box)))
            said.items.append(Expression(str(item_id), str(item_id), region.phrase))
    for refusal in refused:
        said.refused += [(Kind.ANNOTATION, refusal), (Kind.SENTENCE, refusal)]


def add_relationships(said: Said, image_id: ItemId, items: Iterable[Raw], aliases: Aliases) -> None:
    """Add an image's relationships and the objects at their ends, once each.

    A relationship that says the same of the same objects as one before it is a duplicate; case,
    blanks and an article at the end do not tell predicates apart, nor do aliases.
    """
    found, refused = index_items(items, RELATIONSHIP, f"relationships of image {image_id}")
    known: set[tuple[ItemId, str, ItemId]] = set()
    for item_id, relationship in found.items():
        predicate = relationship.predicate
        ends = relationship.subject.id, relationship.object.id
        says = {(ends[0], meaning, ends[1]) for meaning in aliases.meanings(predicate)}
        if not known.isdisjoint(says):
            detail = f"what {predicate[:80]!r} says of objects {ends[0]}, {ends[1]} was said before"
            refused.append((str(item_id), Rejected(Reason.DUPLICATE, detail)))
            continue
        known |= says
        subject, object_ = (_object_id(end) for end in ends)
        said.items.append(Relationship(_relationship_id(item_id), subject, predicate, object_))
    for place, cause in refused:
        said.refused.append((Kind.RELATIONSHIP, (_relationship_id(place), cause)))
    _add_objects(said, found.values())


def _add_objects(said: Said, relationships: Iterable[VgRelationship]) -> None:
    forms: dict[ItemId, Counter[Form]] = {}
    for end in _ends(relationships):
        form = bool(end.merged_object_ids), end.box, end.name or ""
        forms.setdefault(end.id, Counter())[form] += 1
    for number, counts in forms.items():
        _, box, name = min(counts, key=lambda form: _preference(form, counts[form]))
        others = {form[1] for form in counts} - {box}
        said.objects += 1 + len(others)
        said.regions.append(SourceRegion(_object_id(number), _xyxy(box), category=name))
        for other in others:
            detail = f"has the box {_numbers(box)}, and here {_numbers(other)}"
            refusal = _object_id(number), Rejected(Reason.DUPLICATE_ID, detail)
            said.refused.append((Kind.ANNOTATION, refusal))


def _ends(relationships: Iterable[VgRelationship]) -> Iterator[VgObject]:
    for relationship in relationships:
        yield relationship.subject
        yield relationship.object


def _preference(form: Form, times: int) -> tuple[bool, int, str, str]:
    merged, box, name = form
    return not merged, -times, repr(box), name


def _xyxy(box: XYWH) -> Box:
    x, y, width, height = box
    if x is None or y is None or width is None or height is None:
        return UNKNOWN_BOX
    return xyxy(x, y, width, height)


def _numbers(box: XYWH) -> str:
    return " ".join("?" if number is None else f"{number:g}" for number in box)


def _object_id(number: ItemId) -> str:
    return f"object/{number}"


def _relationship_id(number: ItemId) -> str:
    return f"{RELATIONSHIPS.prefix}{number}"

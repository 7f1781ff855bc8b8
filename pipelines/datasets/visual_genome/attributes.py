"""Visual Genome's attributes of objects, as words that annotators chose freely.

    attributes.json    [{"image_id": 1, "attributes": [{"object_id": 1058498, "names": ["clock"],
                         "x": 421, "y": 91, "w": 79, "h": 339, "attributes": ["green", "tall"],
                         "synsets": ["clock.n.01"]}]}]

Version 1.0 has `id` and `object_names` instead of `object_id` and `names`. The inner `attributes`
are missing where an object has none. A region's id begins with "attribute/", because the owner
gives one id to objects with different boxes in different files.
"""

from collections.abc import Iterable

import msgspec

from pipelines.datasets.common.raw_items import ItemId, Raw
from pipelines.datasets.visual_genome.image import ImageAnnotations, xyxy_of
from pipelines.datasets.visual_genome.records import (
    RecordKind,
    VgImageRecord,
    VgNumbered,
    index_items,
)
from schemas.item import Attribute, RegionAttributes
from schemas.rejection import Kind, Reason, Rejected
from schemas.source import SourceRegion

FILE = "attributes.json"


class VgAttributes(VgNumbered, kw_only=True):
    """An object with the attributes that annotators gave it."""

    names: tuple[str, ...] = ()
    object_names: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()


class _AttributesRecord(VgImageRecord, kw_only=True):
    """The record of an image's objects with their attributes, undecoded."""

    items: list[Raw] = msgspec.field(name="attributes")


_ATTRIBUTES = msgspec.json.Decoder(VgAttributes)
ATTRIBUTES = RecordKind(
    msgspec.json.Decoder(_AttributesRecord),
    msgspec.json.Decoder(list[_AttributesRecord]),
    (Kind.ATTRIBUTE,),
    "attribute/",
)


def add_attributes(annotations: ImageAnnotations, image_id: ItemId, items: Iterable[Raw]) -> None:
    """Add an image's objects with attributes, a region each; objects without any are not used."""
    objects, refused = index_items(items, _ATTRIBUTES, f"attributes of image {image_id}")
    for item_id, stated in objects.items():
        name = f"{ATTRIBUTES.prefix}{item_id}"
        values = dict.fromkeys(" ".join(value.split()) for value in stated.attributes)
        attributes = tuple(Attribute("attribute", value) for value in values if value)
        if not attributes:
            cause = Rejected(Reason.NOT_USED, "no attribute is stated of it")
            annotations.refused.append((Kind.ATTRIBUTE, (name, cause)))
            continue
        category = " ".join(next(iter((*stated.names, *stated.object_names)), "").split())
        annotations.objects += 1
        annotations.regions.append(
            SourceRegion(name, xyxy_of(stated.box), category=category or None)
        )
        annotations.items.append(RegionAttributes(name, name, attributes))
    for item_id, cause in refused:
        annotations.refused.append((Kind.ATTRIBUTE, (f"{ATTRIBUTES.prefix}{item_id}", cause)))

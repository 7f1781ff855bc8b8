"""The names of the categories of boxes, by image and by region."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from pipelines.datasets.coco.categories import Categories
from pipelines.datasets.coco.records import CocoAnnotation, Undecoded, decode_annotation, link_of
from pipelines.datasets.common.raw_items import ItemId, as_number
from schemas.rejection import Rejected


@dataclass(frozen=True, slots=True)
class BoxNames:
    """The names of the categories of the boxes of a split."""

    # By image: the names of all of its boxes; None: a box has no readable category.
    images: dict[ItemId, set[str] | None] = field(default_factory=dict)
    # By region id; None: two boxes with the same id have different names.
    regions: dict[str, str | None] = field(default_factory=dict)


def read_box_names(annotations: Iterable[Undecoded], categories: Categories) -> BoxNames:
    """Return the names of all annotations with a valid image id, crowds included."""
    names = BoxNames()
    for item in annotations:
        try:
            annotation = decode_annotation(item)
            name = categories.name_of(annotation.category_id)
        except (msgspec.DecodeError, UnicodeDecodeError, Rejected):
            link = item if isinstance(item, CocoAnnotation) else link_of(item)
            names.images[as_number(link.image_id)] = None
            continue
        several = names.images.setdefault(as_number(annotation.image_id), set())
        if several is not None:
            several.add(name)
        region_id = str(annotation.id and as_number(annotation.id))
        if names.regions.setdefault(region_id, name) != name:
            names.regions[region_id] = None
    return names

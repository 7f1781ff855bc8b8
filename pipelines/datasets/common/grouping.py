"""Undecoded items grouped by the COCO number of their image: detections, or COCO's annotations.

[{"image_id": 33471, "bbox": ...}, {"image_id": 9, ...}, {"image_id": 33471, ...}]
-> {33471: [item, item], 9: [item]}
"""

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, field

import msgspec

from pipelines.datasets.common.entries import Refused, rejections
from pipelines.datasets.common.raw_items import ItemId, Raw, malformed
from schemas.rejection import Kind
from schemas.source import Count, Entry, SplitInput


@dataclass(slots=True)
class ItemsByImage:
    """The items of some images, by COCO's number."""

    raws: dict[int, list[Raw]] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)  # items without an image

    def refused_entries(self, split: SplitInput) -> Iterator[Entry]:
        """Yield rejections of the items without an image; to be called once per split."""
        yield Count(Kind.ANNOTATION, "read", len(self.refused))
        yield from rejections(split, Kind.ANNOTATION, self.refused)


def group_by_image(
    items: Sequence[Raw], wanted: Set[int], name: str, image_of: Callable[[Raw], ItemId]
) -> ItemsByImage:
    """Return the items of wanted images, grouped by image; items of other images are ignored.

    Args:
        items: the undecoded items.
        wanted: COCO's number of each wanted image.
        name: the name of the list, which with a position identifies an item without an image.
        image_of: returns the number of an item's image.
    """
    grouped = ItemsByImage()
    for position, raw in enumerate(items):
        try:
            number = image_of(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            grouped.refused.append((f"{name}[{position}]", malformed(error)))
            continue
        if not isinstance(number, int) or number not in wanted:
            continue
        grouped.raws.setdefault(number, []).append(raw)
    return grouped

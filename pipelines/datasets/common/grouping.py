"""Items about pictures that bear COCO's numbers, by number: detections, or COCO's annotations."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from pipelines.datasets.coco.records import ItemId, Raw, Refused, malformed


@dataclass(slots=True)
class ByPicture:
    """The items about some pictures, by COCO's number."""

    numbers: dict[int, int] = field(default_factory=dict)  # how many items
    raws: dict[int, list[Raw]] = field(default_factory=dict)  # of pictures that the part owns
    refused: list[Refused] = field(default_factory=list)  # those that name no picture


def group_by_picture(
    items: Sequence[Raw], wanted: Mapping[int, bool], name: str, link: Callable[[Raw], ItemId]
) -> ByPicture:
    """Return the items about pictures that are wanted; those about others are passed over.

    Args:
        items: undecoded.
        wanted: COCO's numbers of pictures, each with whether the part owns it.
        name: of the list, for the places of items that name no picture.
        link: returns the number of the picture an item is about.
    """
    grouped = ByPicture()
    for position, raw in enumerate(items):
        try:
            number = link(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            grouped.refused.append((f"{name}[{position}]", malformed(error)))
            continue
        if not isinstance(number, int) or (owned := wanted.get(number)) is None:
            continue
        grouped.numbers[number] = grouped.numbers.get(number, 0) + 1
        if owned:
            grouped.raws.setdefault(number, []).append(raw)
    return grouped

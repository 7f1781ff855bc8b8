"""The other regions of a picture in words, for a prompt that asks to leave them out.

The nearest ones are named by class and position in the picture; those of the region's own class by
their position to the region. Where regions are marked, their numbers are given, too. For example:

    2 (plate, at the bottom); 5 (another mug, to its left)
"""

from collections.abc import Container

from pipelines.recap.captioning.captioner import CaptionTarget
from pipelines.recap.captioning.marked import mark_of
from pipelines.recap.captioning.positions import distance, position_beside, position_in

MOST = 8  # largest number of other regions in a prompt


def neighbours_of(
    target: CaptionTarget, position: int, marked: Container[int] = ()
) -> tuple[str, ...]:
    """Return the regions nearest to a region, in words, in the order of the picture's regions.

    Args:
        target: the picture and all its regions.
        position: the position of the region among them.
        marked: the positions of the regions that are marked by a number in the picture.
    """
    box = target.regions[position].bbox
    others = [number for number in range(len(target.regions)) if number != position]
    nearest = sorted(others, key=lambda number: distance(box, target.regions[number].bbox))
    words = {}
    for number in sorted(nearest[:MOST]):
        words[number] = _words(target, position, number)
        if number in marked:
            words[number] = f"{mark_of(number)} ({words[number]})"
    return tuple(dict.fromkeys(words.values()))


def _words(target: CaptionTarget, position: int, number: int) -> str:
    region, other = target.regions[position], target.regions[number]
    if other.category == region.category:
        return f"another {other.category}, {position_beside(other.bbox, region.bbox)}"
    return f"{other.category}, {position_in(target, other.bbox)}"

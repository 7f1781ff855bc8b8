"""The positions of boxes, in a picture and to each other.

Frame: the upright picture; origin at its top-left corner, x to the right, y down, pixels.
"""

from pipelines.recap.captioning.captioner import CaptionTarget
from schemas.geometry import Box

# Names of the third of the picture that holds a box's centre: down, then across.
_POSITIONS = (
    ("in the upper left", "at the top", "in the upper right"),
    ("on the left", "in the middle", "on the right"),
    ("in the lower left", "at the bottom", "in the lower right"),
)


def position_in(target: CaptionTarget, box: Box) -> str:
    """Return the position of a box in its picture: "in the upper left"."""
    across = int((box[0] + box[2]) / 2 / target.width * 3)
    down = int((box[1] + box[3]) / 2 / target.height * 3)
    return _POSITIONS[min(down, 2)][min(across, 2)]


def gaps(a: Box, b: Box) -> tuple[float, float]:
    """Return the gaps between two boxes, across and down, in pixels; below 0 for an overlap."""
    return max(a[0], b[0]) - min(a[2], b[2]), max(a[1], b[1]) - min(a[3], b[3])


def distance(a: Box, b: Box) -> float:
    """Return the squared distance between two boxes' centres, times four."""
    across, down = a[0] + a[2] - b[0] - b[2], a[1] + a[3] - b[1] - b[3]
    return across * across + down * down


def holds(outer: Box, inner: Box) -> bool:
    """Return whether a box lies in another one."""
    within = outer[0] <= inner[0] and outer[1] <= inner[1]
    return within and outer[2] >= inner[2] and outer[3] >= inner[3]


def position_beside(box: Box, other: Box) -> str:
    """Return the position of a box relative to another one: "to its left"."""
    across, down = gaps(box, other)
    if across < 0 and down < 0:
        if holds(other, box):
            return "inside its bounds"
        return "around it" if holds(box, other) else "overlapping it"
    if across >= down:
        return "to its left" if box[0] < other[0] else "to its right"
    return "above it" if box[1] < other[1] else "below it"

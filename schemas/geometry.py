"""Boxes: xyxy in absolute pixels everywhere; other forms are converted when a source is read.

Frame: origin at the top-left corner of the top-left pixel, x to the right, y down; a box covers
[x0, x1) by [y0, y1), so an image of width w and height h is the box (0, 0, w, h).
"""

import math
import struct

from schemas.rejection import Reason, Rejected

Box = tuple[float, float, float, float]  # x0, y0, x1, y1; pixels

# Pixels; thinner boxes may lose their extent in float32 when they turn with an image of up to
# 65,536 pixels a side.
_THINNEST = 2.0**-7

_FLOAT32 = struct.Struct("4f")
_MAX_FLOAT32 = (2 - 2**-23) * 2.0**127


def xyxy(x: float, y: float, width: float, height: float) -> Box:
    """Return the xyxy form of a COCO-style xywh box, in the same pixels."""
    return x, y, x + width, y + height


def fit_box(box: Box, width: int, height: int) -> tuple[Box, bool]:
    """Return the box clipped to the image and rounded to float32, and whether it was clipped.

    Args:
        box: xyxy, pixels; the box may reach beyond the image, and may hold NaN.
        width: the width of the image the box is drawn in, pixels.
        height: the height of the same image, pixels.

    Raises:
        Rejected: the box is not finite, inverted, without area, or wholly outside.
    """
    x0, y0, x1, y1 = box
    if not math.isfinite(x0 + y0 + x1 + y1):
        raise Rejected(Reason.BOX_NOT_FINITE, f"expected four finite numbers, found {box}")
    if x1 < x0 or y1 < y0:
        raise Rejected(Reason.BOX_INVERTED, f"expected x0 < x1 and y0 < y1, found {box}")
    if x1 == x0 or y1 == y0:
        raise Rejected(Reason.BOX_ZERO_AREA, f"expected a width and a height, found {box}")
    if x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
        raise Rejected(Reason.BOX_OUTSIDE, f"{box} has no part in a {width} x {height} image")
    clipped = x0 < 0 or y0 < 0 or x1 > width or y1 > height
    if clipped:
        x0, y0, x1, y1 = max(x0, 0.0), max(y0, 0.0), min(x1, width), min(y1, height)
    x0, y0, x1, y1 = _FLOAT32.unpack(_FLOAT32.pack(x0, y0, x1, y1))
    if x1 - x0 < _THINNEST or y1 - y0 < _THINNEST:
        raise Rejected(Reason.BOX_ZERO_AREA, f"{box} is thinner than {_THINNEST} pixels inside")
    return (x0, y0, x1, y1), clipped


def shorter_side(box: Box) -> float:
    """Return the length of a box's shorter side, pixels."""
    return min(box[2] - box[0], box[3] - box[1])


def usable_area(area: float | None) -> float | None:
    """Return the area that an owner states; None where it is no finite float32 of 0 or more."""
    return area if area is not None and 0 <= area <= _MAX_FLOAT32 else None


def swaps_sides(orientation: int) -> bool:
    """Return whether an EXIF orientation exchanges width and height."""
    return orientation >= 5


def turn_box(box: Box, orientation: int, width: int, height: int) -> Box:
    """Return a box in the frame of the upright image.

    Args:
        box: the box as xyxy in the stored frame, pixels.
        orientation: the EXIF tag 0x0112, 1 to 8 (EXIF 2.3, 4.6.4).
        width: the width of the stored frame, before turning, pixels.
        height: the height of the stored frame, before turning, pixels.
    """
    x0, y0, x1, y1 = box
    if orientation in (2, 3, 7, 8):
        x0, x1 = width - x1, width - x0
    if orientation in (3, 4, 6, 7):
        y0, y1 = height - y1, height - y0
    return (y0, x0, y1, x1) if swaps_sides(orientation) else (x0, y0, x1, y1)

"""Marks on pictures: the outline of a region, a number beside it, and all outside it dimmed.

An outline runs around a region and hides no pixel of it. It is white between two dark lines, so
that it can be seen on any ground, and has no colour that could be taken for the region's.

Frame: the picture that is drawn on; origin at its top-left corner, x to the right, y down, pixels.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from schemas.geometry import Box
from schemas.mask import BoolImage, Mask
from transforms.crop import Window

_DARK, _LIGHT = 15, 245  # of lines, on all channels
_LINE = 160  # share of a picture's shorter side in the width of an outline's light line
_LETTER = 24  # share of the shorter side in the height of a number
_MIN_LETTER = 11  # pixels
_DIMMED = 0.35  # share of the light that is left outside a region
_GAP = 2  # pixels around a number

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Spot = tuple[int, int, int, int]  # the ground of a number: x0, y0, x1, y1


class Patch(NamedTuple):
    """The pixels of a region in the smallest box around them."""

    left: int  # of the box in the picture, pixels
    top: int
    pixels: BoolImage

    @staticmethod
    def of(mask: Mask) -> "Patch | None":
        """Return the pixels of a mask; None if it has none."""
        left, top, right, bottom = map(int, mask.box())
        if right <= left or bottom <= top:
            return None
        return Patch(left, top, np.ascontiguousarray(mask.pixels()[top:bottom, left:right]))


def shape_of(box: Box, patch: Patch | None, view: Window, size: tuple[int, int]) -> BoolImage:
    """Return the pixels of a region in a part of its picture, as that part is shown.

    Args:
        box: the region's box, xyxy, pixels of the picture.
        patch: the region's pixels in the picture; None, or none of them in that part: its box.
        view: the part of the picture that is shown.
        size: the width and height at which it is shown, pixels.
    """
    x0, y0, x1, y1 = view
    if patch is not None and (inside := _resized(patch, view, size)).any():
        return inside
    across, down = size[0] / (x1 - x0), size[1] / (y1 - y0)
    left, right = _interval((box[0] - x0) * across, (box[2] - x0) * across, size[0])
    top, bottom = _interval((box[1] - y0) * down, (box[3] - y0) * down, size[1])
    inside = np.zeros((size[1], size[0]), bool)
    inside[top:bottom, left:right] = True
    return inside


def _resized(patch: Patch, view: Window, size: tuple[int, int]) -> BoolImage:
    """Return the pixels of a part that are at least half covered; only those are resized."""
    height, width = patch.pixels.shape
    across = _touched(patch.left - view[0], width, view[2] - view[0], size[0])
    down = _touched(patch.top - view[1], height, view[3] - view[1], size[1])
    inside = np.zeros((size[1], size[0]), bool)
    if not across or not down:
        return inside
    ground = Image.new("L", (across.reach, down.reach))
    corner = patch.left - view[0] - across.origin, patch.top - view[1] - down.origin
    ground.paste(Image.fromarray(patch.pixels.view(np.uint8) * 255), corner)
    part = (across.source[0], down.source[0], across.source[1], down.source[1])
    shown = (len(across.pixels), len(down.pixels))
    covered = np.asarray(ground.resize(shown, Image.Resampling.BOX, part)) > 127
    inside[down.pixels.start : down.pixels.stop, across.pixels.start : across.pixels.stop] = covered
    return inside


class _Touched(NamedTuple):
    """The pixels along a shown side that an interval touches, and what they show."""

    pixels: range
    origin: int  # of whole pixels of the view
    reach: int  # number of these
    source: tuple[float, float]  # what is shown of them, from the origin


def _touched(start: int, length: int, limit: int, shown: int) -> _Touched | None:
    """Return what an interval touches along a side of a view; None if it is outside.

    Args:
        start: the interval's start in the view, pixels of the picture.
        length: its length.
        limit: the length of the view's side.
        shown: the number of pixels at which that side is shown.
    """
    first = max(start, 0) * shown // limit
    last = -(-min(start + length, limit) * shown // limit)
    if first >= last:
        return None
    begin, end = first * limit / shown, last * limit / shown
    origin = math.floor(begin)
    reach = math.ceil(end) - origin
    return _Touched(range(first, last), origin, reach, (begin - origin, min(end - origin, reach)))


def outlined(picture: Image.Image, shapes: Sequence[BoolImage]) -> Image.Image:
    """Return an RGB picture with outlines around regions.

    Args:
        picture: the picture.
        shapes: the pixels of each region, of the picture's height and width.
    """
    sheet = picture.convert("RGB")
    light = max(1, round(min(picture.size) / _LINE))
    dark = max(1, light // 2)
    for shape in filter(np.any, shapes):
        rows, columns = _around(shape, 2 * dark + light)
        inside = shape[rows, columns]
        first = _grown(inside, dark)
        second = _grown(first, light)
        corner = columns.start, rows.start
        part = (*corner, corner[0] + inside.shape[1], corner[1] + inside.shape[0])
        for grey, line in ((_DARK, _grown(second, dark) & ~inside), (_LIGHT, second & ~first)):
            sheet.paste((grey,) * 3, part, Image.fromarray(line))
    return sheet


def numbered(picture: Image.Image, shapes: Sequence[BoolImage]) -> Image.Image:
    """Return an RGB picture with outlines around regions, and a number from 1 beside each.

    A number stands outside of its region where there is room, and on as little as possible of the
    other regions and numbers.
    """
    sheet = outlined(picture, shapes)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(max(_MIN_LETTER, min(sheet.size) // _LETTER))
    taken = np.zeros((sheet.height, sheet.width), np.int16)
    for inside in shapes:
        taken += inside
    for number, inside in enumerate(shapes, start=1):
        _, _, width, height = map(round, pen.textbbox((0, 0), str(number), font=font))
        spot = _spot(inside, taken, width + 2 * _GAP, height + 2 * _GAP)
        ground = (spot[0], spot[1], spot[2] - 1, spot[3] - 1)  # both ends are drawn
        pen.rectangle(ground, fill=(_DARK,) * 3, outline=(_LIGHT,) * 3)
        pen.text((spot[0] + _GAP, spot[1] + _GAP // 2), str(number), (_LIGHT,) * 3, font=font)
        taken[spot[1] : spot[3], spot[0] : spot[2]] += len(shapes)
    return sheet


def dimmed(picture: Image.Image, inside: BoolImage) -> Image.Image:
    """Return an RGB picture that is dark outside of a region."""
    bright = picture.convert("RGB")
    dark = bright.point([int(value * _DIMMED) for value in range(256)] * 3)
    dark.paste(bright, mask=Image.fromarray(inside))
    return dark


def _interval(start: float, stop: float, limit: int) -> tuple[int, int]:
    """Return the pixels that lie mostly in an interval, at least one, between 0 and the limit."""
    first = min(max(round(start), 0), limit - 1)
    return first, max(min(round(stop), limit), first + 1)


def _around(shape: BoolImage, pixels: int) -> tuple[slice, slice]:
    """Return the rows and columns of a shape, with so many more on each side."""
    rows, columns = np.flatnonzero(shape.any(1)), np.flatnonzero(shape.any(0))
    return (
        slice(max(int(rows[0]) - pixels, 0), int(rows[-1]) + pixels + 1),
        slice(max(int(columns[0]) - pixels, 0), int(columns[-1]) + pixels + 1),
    )


def _grown(inside: BoolImage, pixels: int) -> BoolImage:
    """Return a shape with all that is so many pixels or less beside it, diagonals included."""
    grown = inside
    for axis in (0, 1):
        wide = grown.copy()
        for shift in range(1, pixels + 1):
            ahead = [slice(None), slice(None)]
            behind = [slice(None), slice(None)]
            ahead[axis], behind[axis] = slice(shift, None), slice(None, -shift)
            wide[tuple(ahead)] |= grown[tuple(behind)]
            wide[tuple(behind)] |= grown[tuple(ahead)]
        grown = wide
    return grown


def _spot(inside: BoolImage, taken: NDArray[np.int16], width: int, height: int) -> Spot:
    """Return the ground of a number beside a region, inside the picture."""
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    corners = (
        *((left, top - height), (left, bottom), (right, top), (left - width, top)),
        *((right, bottom - height), (left, top)),
    )
    limit_x, limit_y = max(0, inside.shape[1] - width), max(0, inside.shape[0] - height)
    spots = [
        (x, y, x + width, y + height)
        for x, y in ((min(max(x, 0), limit_x), min(max(y, 0), limit_y)) for x, y in corners)
    ]
    spot = min(spots, key=lambda each: taken[each[1] : each[3], each[0] : each[2]].sum())
    x0, y0, x1, y1 = map(int, spot)
    return x0, y0, x1, y1

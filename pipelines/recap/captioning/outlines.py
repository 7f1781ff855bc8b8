"""Marks on pictures: the outline of a region, a number beside it, and all outside it dimmed.

An outline runs around a region and hides no pixel of it. It is white between two dark lines, so
that it can be seen on any ground, and has no colour that could be taken for the region's.

Frame: the picture that is drawn on; origin at its top-left corner, x to the right, y down, pixels.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from schemas.geometry import Box
from schemas.mask import BoolImage
from transforms.crop import Window

_DARK, _LIGHT = 15, 245  # of lines, on all channels
_LINE = 160  # share of a picture's shorter side in the width of an outline's light line
_LETTER = 24  # share of the shorter side in the height of a number
_MIN_LETTER = 11  # pixels
_DIMMED = 0.35  # share of the light that is left outside a region
_GAP = 2  # pixels around a number

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Spot = tuple[int, int, int, int]  # the ground of a number: x0, y0, x1, y1


def shape_of(box: Box, mask: BoolImage | None, view: Window, size: tuple[int, int]) -> BoolImage:
    """Return the pixels of a region in a part of its picture, as that part is shown.

    Args:
        box: the region's box, xyxy, pixels of the picture.
        mask: the region's pixels in the picture; None, or none of them in that part: its box.
        view: the part of the picture that is shown.
        size: the width and height at which it is shown, pixels.
    """
    x0, y0, x1, y1 = view
    if mask is not None:
        seen = Image.fromarray(mask[y0:y1, x0:x1].astype(np.uint8) * 255)
        inside: BoolImage = np.asarray(seen.resize(size, Image.Resampling.BOX)) > 127
        if inside.any():
            return inside
    across, down = size[0] / (x1 - x0), size[1] / (y1 - y0)
    left, right = _interval((box[0] - x0) * across, (box[2] - x0) * across, size[0])
    top, bottom = _interval((box[1] - y0) * down, (box[3] - y0) * down, size[1])
    inside = np.zeros((size[1], size[0]), bool)
    inside[top:bottom, left:right] = True
    return inside


def outlined(picture: Image.Image, shapes: Sequence[BoolImage]) -> Image.Image:
    """Return an RGB picture with outlines around regions.

    Args:
        picture: the picture.
        shapes: the pixels of each region, of the picture's height and width.
    """
    pixels = np.array(picture.convert("RGB"))
    light = max(1, round(min(picture.size) / _LINE))
    dark = max(1, light // 2)
    for shape in filter(np.any, shapes):
        around = _around(shape, 2 * dark + light)
        inside, part = shape[around], pixels[around]
        first = _grown(inside, dark)
        second = _grown(first, light)
        part[_grown(second, dark) & ~inside] = _DARK
        part[second & ~first] = _LIGHT
    return Image.fromarray(pixels)


def numbered(picture: Image.Image, shapes: Sequence[BoolImage]) -> Image.Image:
    """Return an RGB picture with outlines around regions, and a number from 1 beside each.

    A number stands outside of its region where there is room, and on as little as possible of the
    other regions and numbers.
    """
    sheet = outlined(picture, shapes)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(max(_MIN_LETTER, min(sheet.size) // _LETTER))
    taken = np.zeros((sheet.height, sheet.width), np.int64)
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
    pixels = np.asarray(picture.convert("RGB"))
    dark = (pixels * _DIMMED).astype(np.uint8)
    return Image.fromarray(np.where(inside[..., None], pixels, dark))


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


def _spot(inside: BoolImage, taken: NDArray[np.int64], width: int, height: int) -> Spot:
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

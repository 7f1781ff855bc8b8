"""The dominant colour of a set of pixels, if it has one.

The name of a pixel's colour follows from `_RANGES` of hue, saturation and value. Muted pixels, of
which most backgrounds consist (ground, walls, skin, wood), have no name.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from schemas.geometry import Box

BoolMask = NDArray[np.bool]  # (height, width)

_MAX_SIDE = 128  # pixels; larger pictures are thinned out to this size
_MIN_SHARE = 0.12  # share of the pixels that a dominant colour must have
_MIN_LEAD = 1.5  # a dominant colour's share, divided by the next colour's share
_PREVAILING_SHARE = 0.5  # share of the pixels that a prevailing colour must have


class Colour(NamedTuple):
    """A dominant colour, and its share of the pixels."""

    name: str
    share: float  # share of the measured pixels

    @property
    def prevails(self) -> bool:
        """Return whether at least half of the pixels have this colour."""
        return self.share >= _PREVAILING_SHARE


class _Range(NamedTuple):
    """The range of pixels with a colour's name: hue in degrees, saturation and value in percent."""

    name: str
    hue: tuple[int, int]  # each range includes its first number and excludes its second
    saturation: tuple[int, int]
    value: tuple[int, int]


# The first range that fits decides. Warm hues must be strong, since skin, sand and wood are warm.
_RANGES = (
    _Range("black", (0, 360), (0, 100), (0, 17)),
    _Range("white", (0, 360), (0, 10), (90, 101)),
    _Range("pink", (0, 12), (32, 58), (75, 101)),
    _Range("red", (0, 12), (58, 101), (35, 101)),
    _Range("orange", (12, 42), (58, 101), (68, 101)),
    _Range("brown", (12, 42), (50, 101), (17, 58)),
    _Range("yellow", (42, 68), (50, 101), (65, 101)),
    _Range("green", (68, 165), (40, 101), (20, 101)),
    _Range("turquoise", (165, 195), (35, 101), (40, 101)),
    _Range("blue", (195, 255), (35, 101), (25, 101)),
    _Range("purple", (255, 300), (30, 101), (25, 101)),
    _Range("pink", (300, 345), (30, 101), (70, 101)),
    _Range("pink", (345, 360), (32, 58), (75, 101)),
    _Range("red", (345, 360), (58, 101), (35, 101)),
)
NAMES = tuple(dict.fromkeys(each.name for each in _RANGES))


def sampled(picture: Image.Image) -> Image.Image:
    """Return a picture thinned out to at most 128 pixels a side, without new colours."""
    scale = _MAX_SIDE / max(picture.size)
    if scale >= 1:
        return picture
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.NEAREST)


def outstanding(picture: Image.Image, mask: BoolMask | None = None) -> Colour | None:
    """Return the dominant colour of an RGB picture, or of the pixels in a mask; None if muted."""
    names = _named(picture)
    measured = names if mask is None else names[mask]
    counts = np.bincount(measured.ravel() + 1, minlength=len(NAMES) + 1)[1:]
    second, first = np.partition(counts, -2)[-2:] / max(measured.size, 1)
    if first < _MIN_SHARE or first < _MIN_LEAD * second:
        return None
    return Colour(NAMES[int(counts.argmax())], float(first))


def shares_of(picture: Image.Image, within: BoolMask) -> dict[str, float]:
    """Return the share of some pixels that each colour has; muted pixels have no name.

    Args:
        picture: an RGB picture.
        within: the pixels to measure, (height, width).
    """
    indices = _named(picture)[within]
    counts = np.bincount(indices[indices >= 0], minlength=len(NAMES))
    return {
        name: round(float(count) / len(indices), 4)
        for name, count in zip(NAMES, counts, strict=True)
        if count
    }


def outside(size: tuple[int, int], boxes: list[Box]) -> BoolMask:
    """Return a mask, (height, width), of the pixels outside all boxes.

    Args:
        size: width and height of a picture.
        boxes: xyxy, pixels of that picture.
    """
    width, height = size
    free = np.ones((height, width), np.bool)
    for x0, y0, x1, y1 in boxes:
        left, top = max(int(np.floor(x0)), 0), max(int(np.floor(y0)), 0)
        free[top : max(int(np.ceil(y1)), 0), left : max(int(np.ceil(x1)), 0)] = False
    return free


def _named(picture: Image.Image) -> NDArray[np.int64]:
    """Return the index in `NAMES` of each pixel's colour, (height, width); -1 for muted pixels."""
    hues, saturations, values, names = _tables()
    hue, saturation, value = (np.asarray(band) for band in picture.convert("HSV").split())
    return names[hues[hue] & saturations[saturation] & values[value]]


@cache
def _tables() -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[np.int64]]:
    """Return the ranges that fit each value of a channel, and the name for each set of ranges.

    A set of ranges is a number whose bit `n` stands for the range `n`. Channels have 256 values.
    """
    channels = zip(
        (360 / 256, 100 / 255, 100 / 255),
        zip(*(each[1:] for each in _RANGES), strict=True),
        strict=True,
    )
    hues, saturations, values = (_sets(unit, limits) for unit, limits in channels)
    sets = np.arange(1 << len(_RANGES))
    names = np.full(sets.shape, -1, np.int64)
    for number, each in reversed([*enumerate(_RANGES)]):  # since the first range that fits decides
        names[(sets >> number & 1).astype(bool)] = NAMES.index(each.name)
    return hues, saturations, values, names


def _sets(unit: float, limits: Sequence[tuple[int, int]]) -> NDArray[Any]:
    """Return the set of ranges that fits each value of a channel, given in units."""
    channel = np.arange(256, dtype=np.float32) * np.float32(unit)
    fits = [(channel >= low) & (channel < high) for low, high in limits]
    return np.sum([fit << number for number, fit in enumerate(fits)], axis=0)

"""Outlines of masks as SVG paths.

The border of a mask runs between pixels. It is followed with the mask on its right, edge by edge,
and drawn through the middles of the edges, so that slopes are slopes and not stairs.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from schemas.mask import BoolImage, Mask

_MAX_SIDE = 256  # pixels of a mask's longer side, at most; larger masks are followed in steps

Point = tuple[int, int]  # x, y


class Outline(NamedTuple):
    """The outline of a mask, as the data of an SVG path in units of `scale` pixels."""

    path: str
    scale: float


def outline(mask: Mask) -> Outline:
    """Return the outline of a mask; its path is empty where the mask is."""
    step = -(-max(mask.height, mask.width) // _MAX_SIDE)
    loops = _loops(mask.pixels()[::step, ::step])
    return Outline("".join(map(_path, loops)), step / 2)


def _loops(pixels: BoolImage) -> Iterator[list[Point]]:
    """Yield the corners along each closed border, in order."""
    following: dict[Point, list[Point]] = defaultdict(list)
    for start, stop in _edges(pixels):
        following[start].append(stop)
    while following:
        first = next(iter(following))
        loop = [first]
        while True:
            stops = following[loop[-1]]
            corner = stops.pop()
            if not stops:
                del following[loop[-1]]
            if corner == first:
                break
            loop.append(corner)
        yield loop


def _edges(pixels: BoolImage) -> Iterator[tuple[Point, Point]]:
    """Yield the edges between pixels that are on and others; the former are on the right."""
    on = np.pad(pixels, 1)
    inner = on[1:-1, 1:-1]
    sides = (
        (on[:-2, 1:-1], (0, 0), (1, 0)),  # above: from left to right
        (on[1:-1, 2:], (1, 0), (1, 1)),  # right: down
        (on[2:, 1:-1], (1, 1), (0, 1)),  # below: from right to left
        (on[1:-1, :-2], (0, 1), (0, 0)),  # left: up
    )
    for beside, (x0, y0), (x1, y1) in sides:
        for y, x in np.argwhere(inner & ~beside).tolist():
            yield (x + x0, y + y0), (x + x1, y + y1)


def _path(loop: list[Point]) -> str:
    """Return a closed path through the middles of a loop's edges, in halves of a pixel."""
    pairs = zip(loop, [*loop[1:], loop[0]], strict=True)
    middles = [(x0 + x1, y0 + y1) for (x0, y0), (x1, y1) in pairs]
    points = [
        (x, y)
        for (xa, ya), (x, y), (xb, yb) in zip(
            [middles[-1], *middles[:-1]], middles, [*middles[1:], middles[0]], strict=True
        )
        if (x - xa) * (yb - y) != (xb - x) * (y - ya)
    ]
    return "M" + "L".join(f"{x} {y}" for x, y in points) + "Z"

"""Shapes and colours of the sample world: outlines by class name, paints by colour name.

Unit frame of all outlines here: x to the right, y down, within [-1, 1] on both axes.
"""

import numpy as np
from numpy.typing import NDArray

Outline = NDArray[np.float64]  # (N, 2): x, y


def _arc(start: float, stop: float, count: int) -> Outline:
    """Return points on the unit circle between two angles (degrees, clockwise from the right)."""
    angles = np.radians(np.linspace(start, stop, count))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _regular(corners: int) -> Outline:
    """Return a regular polygon with one corner at the top."""
    return _arc(-90, 270, corners + 1)[:-1]


def _points(*corners: tuple[float, float]) -> Outline:
    return np.array(corners)


def _moved(outline: Outline, across: float, down: float) -> Outline:
    return outline + np.array([across, down])


def _star() -> Outline:
    outline = _regular(10)
    outline[1::2] *= 0.42
    return outline


def _crescent() -> Outline:
    """Return a crescent: a disc without the part that another disc covers on the right."""
    outer = _arc(50, 310, 28)
    centre = 0.55
    tip_x, tip_y = outer[0]
    half = np.degrees(np.arctan2(tip_y, tip_x - centre))
    inner = _arc(360 - half, half, 20) * np.hypot(tip_x - centre, tip_y)
    return _moved(np.concatenate([outer, _moved(inner, centre, 0)[1:-1]]), 0.2, 0)


def _heart() -> Outline:
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([np.sin(t) ** 3 * 0.94, -(y + 2.5) / 15.5], axis=1)


_CIRCLE = _regular(36)
_SQUARE = _points((-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8))
_STEM = 0.33  # half the width of the bars of crosses and arrows
_CROSS = _points(
    (-_STEM, -1), (_STEM, -1), (_STEM, -_STEM), (1, -_STEM), (1, _STEM), (_STEM, _STEM),
    (_STEM, 1), (-_STEM, 1), (-_STEM, _STEM), (-1, _STEM), (-1, -_STEM), (-_STEM, -_STEM),
)  # fmt: skip
_ARROW = _points(
    (-1, -_STEM), (0.1, -_STEM), (0.1, -0.8), (1, 0), (0.1, 0.8), (0.1, _STEM), (-1, _STEM)
)
_BOLT = _points((0.15, -1), (-0.6, 0.15), (-0.1, 0.15), (-0.3, 1), (0.6, -0.25), (0.05, -0.25))
_BAR = _points((-0.9, -0.2), (0.9, -0.2), (0.9, 0.2), (-0.9, 0.2))

# One entry per class; a class of two parts is one object with two polygons.
SHAPES: dict[str, tuple[Outline, ...]] = {
    "circle": (_CIRCLE,),
    "oval": (_CIRCLE * (1, 0.6),),
    "half circle": (_moved(_arc(180, 360, 20), 0, 0.45),),
    "crescent": (_crescent(),),
    "triangle": (_moved(_regular(3), 0, 0.2),),
    "square": (_SQUARE,),
    "diamond": (_regular(4) * (0.7, 1),),
    "pentagon": (_regular(5),),
    "hexagon": (_regular(6),),
    "star": (_star(),),
    "cross": (_CROSS,),
    "arrow": (_ARROW,),
    "heart": (_heart(),),
    "lightning bolt": (_BOLT,),
    "equals sign": (_moved(_BAR, 0, -0.45), _moved(_BAR, 0, 0.45)),
}

# Red, green, blue; 0 to 255.
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (208, 32, 38),
    "orange": (246, 130, 20),
    "yellow": (250, 218, 40),
    "green": (30, 150, 60),
    "turquoise": (40, 200, 196),
    "blue": (36, 78, 200),
    "purple": (126, 46, 164),
    "pink": (248, 128, 186),
    "brown": (112, 64, 28),
    "black": (22, 22, 24),
    "white": (246, 246, 244),
}
GREYS = ("black", "white")  # colours that keep their names in a grayscale picture


def turned(parts: tuple[Outline, ...], degrees: float) -> tuple[Outline, ...]:
    """Return the parts turned clockwise around the origin."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    rotation = np.array([[cosine, sine], [-sine, cosine]])
    return tuple(part @ rotation for part in parts)

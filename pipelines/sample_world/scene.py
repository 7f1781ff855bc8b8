"""Scenes of the sample world: things with class, colour, size, outline and paint order.

A scene follows from a key by hashing, so it is the same on every run and in every data
set. Frame: origin at the top-left corner of the picture, x to the right, y
down, pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from pycocotools import mask as rle

from pipelines.sample_world.look import HARD, Look
from pipelines.sample_world.shapes import SHAPES, Outline, turned
from schemas.geometry import Box
from schemas.ids import rank

Progress = Callable[[int, int], None]  # (done, total)
Size = Literal["small", "medium", "large"]
Relation = Literal["in front of", "behind", "left of", "right of", "above", "below"]

_GROUNDS = ("sand", "grass", "stone", "wood", "cloth")
SMALL_BELOW, LARGE_FROM = 32**2, 96**2  # COCO's limits of small and medium areas, square pixels
_TRIES = 12


@dataclass(frozen=True, kw_only=True)
class World:
    """The size, the seed and the look of a sample world."""

    seed: int
    pictures: int  # of COCO
    look: Look = HARD

    @property
    def album_size(self) -> int:
        """The number of pictures of a data set that draws its own."""
        return self.pictures * 3 // 8 if self.look.odd else self.pictures


@dataclass(frozen=True, kw_only=True, eq=False)
class Thing:
    """One object, or one crowd of similar objects that are annotated together.

    `parts` are the thing's polygons, each (N, 2): x, y in pixels with two decimals. They are
    the whole outline, also where a later object covers the thing.
    """

    shape: str
    colour: str
    parts: tuple[Outline, ...]
    crowd: bool = False

    @cached_property
    def box(self) -> Box:
        """The bounds of the outline: xyxy, pixels."""
        return _bounds(self.parts)

    @property
    def size(self) -> Size:
        """The size class of the outline by COCO's limits of area: "small", "medium" or "large"."""
        if self.area < SMALL_BELOW:
            return "small"
        return "medium" if self.area < LARGE_FROM else "large"

    @cached_property
    def area(self) -> float:
        """The area of the outline, square pixels."""
        return float(sum(map(_area, self.parts)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """One picture: its sides in pixels, its ground, and its things from back to front."""

    key: str
    width: int
    height: int
    ground: str
    things: tuple[Thing, ...]

    def mask(self, index: int) -> dict[str, Any]:
        """Return the mask of a thing's whole outline, as pycocotools' compressed RLE."""
        polygons = [part.ravel().tolist() for part in self.things[index].parts]
        merged: dict[str, Any] = rle.merge(rle.frPyObjects(polygons, self.height, self.width))
        return merged

    def relation(self, first: int, second: int) -> Relation:
        """Return the relation of two things: by paint order if they overlap, else by side."""
        if self._overlap(first, second):
            return "in front of" if first > second else "behind"
        across, down = _centre(self.things[first].box) - _centre(self.things[second].box)
        if abs(across) >= abs(down):
            return "left of" if across < 0 else "right of"
        return "above" if down < 0 else "below"

    def _overlap(self, first: int, second: int) -> bool:
        boxes = self.things[first].box, self.things[second].box
        if max(box[0] for box in boxes) > min(box[2] for box in boxes) + 1:
            return False  # masks have whole pixels, so they are a little wider than outlines
        if max(box[1] for box in boxes) > min(box[3] for box in boxes) + 1:
            return False
        return bool(rle.area(rle.merge([self.mask(first), self.mask(second)], intersect=True)) > 0)


def generator(*key: str | int) -> np.random.Generator:
    """Return a random generator that depends on the key and on nothing else."""
    return np.random.default_rng(rank("sample world", *key))


def make_scene(
    key: str,
    *,
    width: int,
    height: int,
    things: int,
    look: Look = HARD,
    crowd: bool = False,
) -> Scene:
    """Lay out a scene.

    Args:
        key: the name of the scene; the same key and arguments give the same scene.
        width: the width of the picture, pixels.
        height: the height of the picture, pixels.
        things: the number of things to place; a thing without room is left out.
        look: the kinds and sizes of things.
        crowd: whether the first of the things, at the back, is a crowd.
    """
    rng = generator("scene", key)
    placed: list[Thing] = []
    for index in range(things):
        shape, colour = str(rng.choice(look.shapes)), str(rng.choice(look.colours))
        flock = crowd and index == 0
        unit = _flock(rng, SHAPES[shape]) if flock else SHAPES[shape]
        parts = _place(rng, unit, (width, height), [thing.box for thing in placed], look)
        if parts:
            placed.append(Thing(shape=shape, colour=colour, parts=parts, crowd=flock))
    ground = str(rng.choice(_GROUNDS))
    return Scene(key=key, width=width, height=height, ground=ground, things=tuple(placed))


def _flock(rng: np.random.Generator, unit: tuple[Outline, ...]) -> tuple[Outline, ...]:
    """Return twelve small copies of a unit shape, scattered over the unit square."""
    across, down = np.meshgrid(np.linspace(-0.75, 0.75, 4), np.linspace(-0.6, 0.6, 3))
    centres = np.stack([across.ravel(), down.ravel()], axis=1)
    centres += rng.uniform(-0.08, 0.08, centres.shape)
    return tuple(part * 0.2 + centre for centre in centres for part in unit)


def _place(
    rng: np.random.Generator,
    unit: tuple[Outline, ...],
    sides: tuple[int, int],
    taken: list[Box],
    look: Look,
) -> tuple[Outline, ...]:
    """Return unit parts scaled, turned and moved to a free place; empty without room."""
    least, most = np.log(look.radii)
    for _ in range(_TRIES):
        radius = np.exp(rng.uniform(least, most)) * min(sides) / 240
        parts = tuple(part * radius for part in turned(unit, rng.uniform(-15, 15)))
        x0, y0, x1, y1 = _bounds(parts)
        room = np.array(sides) - (x1 - x0, y1 - y0)
        shift = rng.uniform(0, 1, 2) * room - (x0, y0)
        moved = tuple(np.round(part + shift, 2) for part in parts)
        share = look.covered_at_most
        if room.min() > 1 and not any(_covers(_bounds(moved), box, share) for box in taken):
            return moved
    return ()


def _covers(first: Box, second: Box, share: float) -> bool:
    """Return whether two boxes overlap in more than a share of the smaller box."""
    across = min(first[2], second[2]) - max(first[0], second[0])
    down = min(first[3], second[3]) - max(first[1], second[1])
    smaller = min((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (first, second))
    return across > 0 and down > 0 and across * down > share * smaller


def _bounds(parts: tuple[Outline, ...]) -> Box:
    points = np.concatenate(parts)
    (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
    return float(x0), float(y0), float(x1), float(y1)


def _centre(box: Box) -> Outline:
    return np.array([box[0] + box[2], box[1] + box[3]]) / 2


def _area(part: Outline) -> float:
    """Return the area inside a polygon, by the shoelace formula."""
    x, y = part[:, 0], part[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)

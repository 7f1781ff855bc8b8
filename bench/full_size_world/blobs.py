"""Random polygons whose sizes and corner counts are distributed as in a real data set."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.full_size_world.pictures import COMMON_FRAME
from pipelines.sample_world.instances import Record
from pipelines.sample_world.scene import generator


@dataclass(frozen=True, kw_only=True)
class Spread:
    """The distribution of polygons' radii and corner counts: mean and deviation of logarithms."""

    radius: tuple[float, float]  # pixels
    corners: tuple[float, float]


# COCO: 47 coordinates per polygon on average, and a median of 42 pixels for the root of the area.
# LVIS: 68 coordinates, and 26 pixels.
COCO = Spread(radius=(3.15, 1.18), corners=(2.96, 0.66))
LVIS = Spread(radius=(2.69, 1.1), corners=(3.17, 0.8))


def pool(key: str, spread: Spread, count: int) -> list[bytes]:
    """Return many polygons as JSON fields area, bbox and segmentation, without braces.

    All polygons fit into `COMMON_FRAME`, so that any picture can have any of them.
    """
    sides = np.tile(COMMON_FRAME, (count, 1))
    polygons = blobs(generator("pool", key), sides, spread)
    return [msgspec.json.encode(record)[1:-1] for record in polygons]


def blobs(
    rng: np.random.Generator, sides: NDArray[np.int64], spread: Spread = COCO
) -> Iterator[Record]:
    """Yield a random polygon for each row of `sides` (n, 2): a picture's width and height, pixels.

    Larger polygons have more corners.
    """
    draws = rng.standard_normal((2, len(sides)))
    mean, deviation = spread.radius
    radii = np.exp(mean + deviation * draws[0]).clip(3, sides.min(axis=1) * 0.48)
    mean, deviation = spread.corners
    corners = np.exp(mean + deviation * (0.6 * draws[0] + 0.8 * draws[1]))
    lengths = corners.clip(4, 300).astype(int)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    owner = np.repeat(np.arange(len(sides)), lengths)
    angle = 2 * np.pi * (np.arange(ends[-1]) - starts[owner]) / lengths[owner]
    reach = radii[owner] * rng.normal(1, 0.12, ends[-1])
    centres = radii[:, None] + rng.random((len(sides), 2)) * (sides - 2 * radii[:, None])
    points = centres[owner] + reach[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = points.clip(0, sides[owner]).round(2)
    yield from _records(points, starts, ends)


def _records(
    points: NDArray[np.float64], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> Iterator[Record]:
    """Yield area, box and polygon of each slice of `points` (N, 2): x, y in pixels."""
    following = np.roll(points, -1, axis=0)
    following[ends - 1] = points[starts]
    cross = points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]
    areas = (np.abs(np.add.reduceat(cross, starts)) / 2).tolist()
    low = np.minimum.reduceat(points, starts)
    boxes = np.hstack([low, np.maximum.reduceat(points, starts) - low]).round(2).tolist()
    numbers = points.ravel().tolist()
    for area, box, start, end in zip(areas, boxes, starts.tolist(), ends.tolist(), strict=True):
        polygon = numbers[2 * start : 2 * end]
        yield {"area": area, "bbox": box, "segmentation": [polygon]}

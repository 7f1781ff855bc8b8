"""The share of each cell of the refined map that a region covers: the weights of mask pooling.

The share is the exact area of overlap, so that no region vanishes however thin it is, and a cell
that lies wholly in the padding belongs to no region. `Sampling.BILINEAR` resizes masks as public
code does, without antialiasing: at 336 pixels and 96 cells, half of the lines of one pixel lie
between its samples.

Letters: G cells on a side of the map; H, W the sides of the owner's picture, pixels.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.frame import Frame
from model.runs import Runs
from schemas.geometry import Box
from schemas.mask import BoolImage

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

_NOISE = 1e-9  # of a cell: less is an error of rounding


class Sampling(StrEnum):
    """The way from an owner's pixels to cells."""

    AREA = "area"  # the covered share of a cell
    BILINEAR = "bilinear"  # between the two nearest pixels of the model's picture, on each axis


class Coverage(NamedTuple):
    """The weights of a region's cells."""

    cells: Floats  # [G, G], rows downwards, 0 to 1
    # Nothing of the region lies in the cells: the cell that holds its centre stands for it.
    is_fallback: bool


def box_coverage(box: Box, frame: Frame, grid: int) -> Coverage:
    """Return the share of each cell that a box covers, clipped to the owner's picture.

    Args:
        box: xyxy, owner's pixels, finite; e.g. (12.5, 40.0, 80.0, 200.25).
        frame: the owner's picture in the model's.
        grid: the number G of cells on a side.
    """
    return box_coverages([box], frame, grid)[0]


def box_coverages(boxes: Sequence[Box], frame: Frame, grid: int) -> list[Coverage]:
    """Return the coverage of each of a picture's boxes, as `box_coverage` does."""
    edges_x, edges_y = frame.cell_edges(grid)
    x0, y0, x1, y1 = np.array(boxes, np.float64).reshape(-1, 4).T[:, :, None]
    down = _span_shares(edges_y, np.maximum(y0, 0.0), np.minimum(y1, frame.height))
    across = _span_shares(edges_x, np.maximum(x0, 0.0), np.minimum(x1, frame.width))
    cells = down.astype(np.float32)[:, :, None] * across.astype(np.float32)[:, None, :]
    touched: list[bool] = np.logical_and(down.any(axis=1), across.any(axis=1)).tolist()
    centres = np.concatenate([x0 + x1, y0 + y1], axis=1) / 2
    return [
        Coverage(of_box, is_fallback=False) if some else _fallback(of_box, centre, frame)
        for of_box, some, centre in zip(cells, touched, centres.tolist(), strict=True)
    ]


def mask_coverage(
    mask: Runs, frame: Frame, grid: int, sampling: Sampling = Sampling.AREA
) -> Coverage:
    """Return the share of each cell that a mask's pixels cover.

    Args:
        mask: of the owner's picture, with one pixel at least.
        frame: the owner's picture in the model's.
        grid: the number G of cells on a side.
        sampling: the exact area, or public code's resizing.

    Raises:
        ValueError: the mask is of another size than the picture, or without a pixel.
    """
    if (mask.height, mask.width) != (frame.height, frame.width):
        raise ValueError(
            f"a mask of {(mask.height, mask.width)} for a picture of "
            f"{(frame.height, frame.width)}, height first"
        )
    if not len(mask):
        raise ValueError("a mask without a pixel: a region needs one at least")
    x0, y0, x1, y1 = mask.bounds
    if sampling is Sampling.AREA:
        cells = _area_shares(mask, (x0, y0, x1, y1), frame.cell_edges(grid))
    else:
        cells = _bilinear_shares(mask.pixels(), frame, grid).astype(np.float32)
    if cells.any():
        return Coverage(cells, is_fallback=False)
    return _fallback(cells, ((x0 + x1) / 2, (y0 + y1) / 2), frame)


def _span_shares(edges: Doubles, start: Doubles | float, stop: Doubles | float) -> Doubles:
    """Return the share [..., G] of each cell along one axis that lies between two points.

    Args:
        edges: the edges of the cells [G + 1], pixels.
        start: the first point, or several [K, 1].
        stop: the second, or as many.
    """
    inside = np.minimum(np.maximum(edges, start), np.maximum(start, stop))
    shares = (inside[..., 1:] - inside[..., :-1]) / (edges[1] - edges[0])
    shares[shares <= _NOISE] = 0.0
    return shares


def _area_shares(mask: Runs, bounds: Box, edges: tuple[Doubles, Doubles]) -> Floats:
    """Return the share [G, G] of each cell that lies under a mask's pixels.

    A run of pixels in a column covers what lies above its end, less what lies above its start: for
    each the whole of the cells before, and a part of its own cell. So only ends of runs are looked
    at, and only in the cells that the mask's box reaches; and no product of matrices is made, whose
    threads would wait for one another in the processes of a data loader.

    Args:
        mask: of the owner's picture.
        bounds: the box around the mask's pixels.
        edges: the edges of cells [G + 1] along x, and along y, owner's pixels.
    """
    edges_x, edges_y = edges
    x0, y0, x1, y1 = bounds
    grid, left, columns = len(edges_x) - 1, int(x0), int(x1 - x0)
    shares = np.zeros((grid, grid), np.float32)
    down, across = _reached(edges_y, y0, y1), _reached(edges_x, x0, x1)
    cells = down.stop - down.start
    if not cells or across.start == across.stop:
        return shares
    ends = np.concatenate([mask.starts, mask.stops])
    reach = (ends - edges_y[down.start]) / (edges_y[1] - edges_y[0])  # in cells
    reach = np.minimum(np.maximum(reach, 0.0), cells)
    cell = reach.astype(np.intp)
    column = (mask.columns - left) * (cells + 1)
    entry, size = np.concatenate([column, column]) + cell, columns * (cells + 1)
    signs = np.ones(len(ends))
    signs[: len(column)] = -1.0
    whole = np.bincount(entry, signs, size).reshape(columns, -1)
    parts = np.bincount(entry, signs * (reach - cell), size).reshape(columns, -1)
    covered = parts[:, :-1] + np.cumsum(whole[:, :0:-1], axis=1, dtype=np.float64)[:, ::-1]
    means = _means(covered, edges_x[across.start : across.stop + 1] - left).T
    shares[down, across] = np.where(means > _NOISE, np.minimum(means, 1.0), 0.0)
    return shares


def _reached(edges: Doubles, start: float, stop: float) -> slice:
    """Return the cells along one axis that have a part between two points."""
    first = int(np.searchsorted(edges, start, side="right")) - 1
    last = int(np.searchsorted(edges, stop, side="left"))
    return slice(max(first, 0), max(min(last, len(edges) - 1), first, 0))


def _means(columns: Doubles, edges: Doubles) -> Doubles:
    """Return the mean [K, G] over each cell's width of columns of pixels [w, G], 0 outside.

    Args:
        columns: the pixels.
        edges: the edges of the cells [K + 1], pixels.
    """
    width = len(columns)
    before = np.zeros((width + 1, columns.shape[1]))
    np.cumsum(columns, axis=0, out=before[1:])
    inside = np.clip(edges, 0, width)
    column = np.minimum(inside.astype(np.intp), width - 1)
    sums = before[column] + (inside - column)[:, None] * columns[column]
    return np.diff(sums, axis=0) / (edges[1] - edges[0])


def _bilinear_shares(mask: BoolImage, frame: Frame, grid: int) -> Doubles:
    """Return the mask [G, G] sampled between the four model pixels around each cell's centre."""
    edges_x, edges_y = frame.cell_edges(grid)
    step = frame.covered / grid
    shares = np.zeros((grid, grid))
    for rows, weights_y in _taps(edges_y, step, frame.scale_y, frame.height):
        for columns, weights_x in _taps(edges_x, step, frame.scale_x, frame.width):
            shares += np.outer(weights_y, weights_x) * mask[np.ix_(rows, columns)]
    return shares


def _taps(
    edges: Doubles, step: float, scale: float, length: int
) -> list[tuple[NDArray[np.intp], Doubles]]:
    """Return the two pixels of the owner's that each cell takes along one axis, with weights [G].

    They lie under the centres of the two model pixels that are nearest to the cell's centre.

    Args:
        edges: the cells' edges [G + 1], owner's pixels.
        step: the side of a cell, model pixels.
        scale: model pixels per owner's pixel.
        length: the number of the owner's pixels.
    """
    cells = len(edges) - 1
    sample = np.maximum((np.arange(cells) + 0.5) * step - 0.5, 0.0)  # 0: the first one's centre
    first = np.floor(sample)
    second = np.minimum(first + 1, round(step * cells) - 1)
    taps = []
    for model_pixel, weight in ((first, 1 - (sample - first)), (second, sample - first)):
        pixel = np.floor(edges[0] + (model_pixel + 0.5) / scale).astype(np.intp)
        inside = (pixel >= 0) & (pixel < length)
        taps.append((np.clip(pixel, 0, length - 1), np.where(inside, weight, 0.0)))
    return taps


def _fallback(cells: Floats, centre: Sequence[float], frame: Frame) -> Coverage:
    """Return empty cells with the cell of the picture nearest to the region's centre, x and y."""
    edges_x, edges_y = frame.cell_edges(len(cells))
    x, y = centre
    cells[_nearest_cell(edges_y, y, frame.height), _nearest_cell(edges_x, x, frame.width)] = 1
    return Coverage(cells, is_fallback=True)


def _nearest_cell(edges: Doubles, point: float, length: int) -> int:
    """Return the cell along one axis that holds a point, or else the picture's nearest cell."""
    holding_picture = np.flatnonzero(_span_shares(edges, 0, length))
    cell = int(np.searchsorted(edges, point, side="right")) - 1
    return int(np.clip(cell, holding_picture[0], holding_picture[-1]))

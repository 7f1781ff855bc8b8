"""The share of each cell of the refined map that a region covers: the weights of mask pooling.

The share is the exact area of overlap, so that no region vanishes however thin it is, and a cell
that lies wholly in the padding belongs to no region. `Sampling.BILINEAR` resizes masks as public
code does, without antialiasing: at 336 pixels and 96 cells, half of the lines of one pixel lie
between its samples.

Letters: G cells on a side of the map; H, W the sides of the owner's picture, pixels.
"""

from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.frame import Frame
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
    x0, y0, x1, y1 = box
    edges_x, edges_y = frame.cell_edges(grid)
    down = _span_shares(edges_y, max(y0, 0.0), min(y1, frame.height))
    across = _span_shares(edges_x, max(x0, 0.0), min(x1, frame.width))
    cells = np.outer(down, across).astype(np.float32)
    return _never_empty(cells, ((x0 + x1) / 2, (y0 + y1) / 2), frame)


def mask_coverage(
    mask: BoolImage, frame: Frame, grid: int, sampling: Sampling = Sampling.AREA
) -> Coverage:
    """Return the share of each cell that a mask's pixels cover.

    Args:
        mask: [H, W], the owner's pixels, of which one at least is on.
        frame: the owner's picture in the model's.
        grid: the number G of cells on a side.
        sampling: the exact area, or public code's resizing.

    Raises:
        ValueError: the mask is of another size than the picture, or without a pixel.
    """
    if mask.shape != (frame.height, frame.width):
        raise ValueError(
            f"a mask of {mask.shape} for a picture of {(frame.height, frame.width)}, height first"
        )
    rows, columns = _extent(np.any(mask, axis=1)), _extent(np.any(mask, axis=0))
    if sampling is Sampling.AREA:
        edges_x, edges_y = frame.cell_edges(grid)
        shares = _area_shares(mask[rows, columns], edges_y - rows.start, edges_x - columns.start)
    else:
        shares = _bilinear_shares(mask, frame, grid)
    centre = (columns.start + columns.stop) / 2, (rows.start + rows.stop) / 2
    return _never_empty(shares.astype(np.float32), centre, frame)


def _span_shares(edges: Doubles, start: float, stop: float) -> Doubles:
    """Return the share [G] of each cell along one axis that lies between two points."""
    shares = np.diff(np.clip(edges, start, max(start, stop))) / (edges[1] - edges[0])
    return np.where(shares > _NOISE, shares, 0.0)


def _area_shares(mask: BoolImage, edges_y: Doubles, edges_x: Doubles) -> Doubles:
    """Return the share [G, G] of each cell that lies under pixels of a mask [h, w].

    A run of pixels in a row covers what lies left of its end, less what lies left of its start:
    for each the whole of the cells before, and a part of its own cell. So only ends of runs are
    looked at, and no product of matrices is made, whose threads would wait for one another in
    the processes of a data loader.

    Args:
        mask: the pixels.
        edges_y: the edges of the cells' rows [G + 1], pixels of the mask.
        edges_x: the edges of the cells' columns [G + 1], pixels of the mask.
    """
    height, width = mask.shape
    cells = len(edges_x) - 1
    padded = np.zeros((height, width + 2), dtype=bool)
    padded[:, 1:-1] = mask
    row, x = np.divmod(np.flatnonzero(padded[:, 1:] != padded[:, :-1]), width + 1)
    signs = np.where(np.arange(len(row)) % 2, 1.0, -1.0)  # starts and ends take turns
    reach = np.clip((x - edges_x[0]) / (edges_x[1] - edges_x[0]), 0, cells)  # in cells
    cell = reach.astype(np.intp)
    entry, size = row * (cells + 1) + cell, height * (cells + 1)
    ends = _down(np.bincount(entry, signs, size).reshape(height, -1), edges_y)  # [G, G + 1]
    parts = _down(np.bincount(entry, signs * (reach - cell), size).reshape(height, -1), edges_y)
    shares = parts[:, :-1] + np.cumsum(ends[:, :0:-1], axis=1)[:, ::-1]
    return np.where(shares > _NOISE, np.minimum(shares, 1.0), 0.0)


def _down(rows: NDArray[Any], edges: Doubles) -> Doubles:
    """Return the mean [G, K] over each cell's height of rows of pixels [h, K], 0 outside."""
    height = len(rows)
    before = np.zeros((height + 1, rows.shape[1]))
    np.cumsum(rows, axis=0, out=before[1:])
    inside = np.clip(edges, 0, height)
    row = np.minimum(inside.astype(np.intp), height - 1)
    sums = before[row] + (inside - row)[:, None] * rows[row]
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


def _extent(on: BoolImage) -> slice:
    """Return the span from the first to the last entry that is on."""
    indices = np.flatnonzero(on)
    if not len(indices):
        raise ValueError("a mask without a pixel: a region needs one at least")
    return slice(int(indices[0]), int(indices[-1]) + 1)


def _never_empty(cells: Floats, centre: tuple[float, float], frame: Frame) -> Coverage:
    """Return the cells; where all are 0, the cell of the picture nearest to the centre."""
    if cells.any():
        return Coverage(cells, is_fallback=False)
    edges_x, edges_y = frame.cell_edges(len(cells))
    x, y = centre
    cells[_nearest_cell(edges_y, y, frame.height), _nearest_cell(edges_x, x, frame.width)] = 1
    return Coverage(cells, is_fallback=True)


def _nearest_cell(edges: Doubles, point: float, length: int) -> int:
    """Return the cell along one axis that holds a point, or else the picture's nearest cell."""
    holding_picture = np.flatnonzero(_span_shares(edges, 0, length))
    cell = int(np.searchsorted(edges, point, side="right")) - 1
    return int(np.clip(cell, holding_picture[0], holding_picture[-1]))

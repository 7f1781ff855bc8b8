"""The share of each cell of the refined map that a region covers: the weights of mask pooling.

The share is the exact area of overlap, so that no region vanishes however thin it is, and a cell
that lies wholly in the padding belongs to no region. `Sampling.BILINEAR` resizes masks as public
code does, without antialiasing: at 336 pixels and 96 cells, half of the lines of one pixel lie
between its samples.

Letters: G cells on a side of the map; H, W the sides of the owner's picture, pixels.
"""

from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.frame import Frame
from schemas.geometry import Box

Floats = NDArray[np.float32]
Edges = NDArray[np.float64]

_NOISE = 1e-9  # of a cell's side: less is an error of rounding, or too thin for the sum to show


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
    mask: NDArray[np.bool_], frame: Frame, grid: int, sampling: Sampling = Sampling.AREA
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
    down, across = _pixel_shares(frame, grid, sampling)
    inside = mask[rows, columns].astype(np.float32)
    cells = np.minimum(down[:, rows] @ inside @ across[:, columns].T, np.float32(1))
    centre = (columns.start + columns.stop) / 2, (rows.start + rows.stop) / 2
    return _never_empty(cells, centre, frame)


def _span_shares(edges: Edges, start: float, stop: float) -> Edges:
    """Return the share [G] of each cell along one axis that lies between two points."""
    shares = np.diff(np.clip(edges, start, max(start, stop))) / (edges[1] - edges[0])
    return np.where(shares > _NOISE, shares, 0.0)


@lru_cache(maxsize=4)  # the regions of a picture share its frame
def _pixel_shares(frame: Frame, grid: int, sampling: Sampling) -> tuple[Floats, Floats]:
    """Return the weights of rows [G, H] and of columns [G, W] in each cell."""
    edges_x, edges_y = frame.cell_edges(grid)
    if sampling is Sampling.AREA:
        return _area_shares(edges_y, frame.height), _area_shares(edges_x, frame.width)
    step = frame.covered / grid
    return (
        _bilinear_shares(edges_y, frame.height, step, frame.scale_y),
        _bilinear_shares(edges_x, frame.width, step, frame.scale_x),
    )


def _area_shares(edges: Edges, length: int) -> Floats:
    """Return the share [G, length] of each cell along one axis that each pixel covers."""
    pixels_before = np.clip(edges[:, None] - np.arange(length), 0, 1)  # of each pixel, its part
    shares = np.diff(pixels_before, axis=0) / (edges[1] - edges[0])
    return np.where(shares > _NOISE, shares, 0.0).astype(np.float32)


def _bilinear_shares(edges: Edges, length: int, step: float, scale: float) -> Floats:
    """Return the weight [G, length] of each pixel in a cell's sample between two model pixels.

    Args:
        edges: the cells' edges, owner's pixels.
        length: the number of the owner's pixels.
        step: the side of a cell, model pixels.
        scale: model pixels per owner's pixel.
    """
    cells = np.arange(len(edges) - 1)
    sample = np.maximum((cells + 0.5) * step - 0.5, 0.0)  # on model pixels' centres
    first = np.floor(sample)
    last_pixel = np.ceil(step * len(cells)) - 1
    weights = np.zeros((len(cells), length), dtype=np.float32)
    for model_pixel, weight in (
        (first, 1 - (sample - first)),
        (np.minimum(first + 1, last_pixel), sample - first),
    ):
        pixel = np.floor(edges[0] + (model_pixel + 0.5) / scale).astype(np.intp)
        inside = (pixel >= 0) & (pixel < length)
        weights[cells[inside], pixel[inside]] += weight[inside]
    return weights


def _extent(on: NDArray[np.bool_]) -> slice:
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


def _nearest_cell(edges: Edges, point: float, length: int) -> int:
    """Return the cell along one axis that holds a point, or else the picture's nearest cell."""
    holding_picture = np.flatnonzero(_span_shares(edges, 0, length))
    cell = int(np.searchsorted(edges, point, side="right")) - 1
    return int(np.clip(cell, holding_picture[0], holding_picture[-1]))

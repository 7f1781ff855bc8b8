"""The share of each cell of the refined map that a region covers: the weights of mask pooling.

The share is the exact area of overlap, so that no region vanishes however thin it is, and a cell
that lies wholly in the padding belongs to no region. `Sampling.BILINEAR` resizes masks as public
code does, without antialiasing: at 336 pixels and 96 cells, half of the lines of one pixel lie
between its samples.

Letters: G cells on a side of the map; H, W the sides of the owner's picture, pixels.
"""

from collections.abc import Iterator, Sequence
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
Cells = NDArray[np.intp]

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
    return mask_coverages([mask], frame, grid, sampling)[0]


def mask_coverages(
    masks: Sequence[Runs], frame: Frame, grid: int, sampling: Sampling = Sampling.AREA
) -> list[Coverage]:
    """Return the coverage of each of a picture's masks, as `mask_coverage` does."""
    for mask in masks:
        if (mask.height, mask.width) != (frame.height, frame.width):
            raise ValueError(
                f"a mask of {(mask.height, mask.width)} for a picture of "
                f"{(frame.height, frame.width)}, height first"
            )
        if not len(mask):
            raise ValueError("a mask without a pixel: a region needs one at least")
    if not masks:
        return []
    bounds = [mask.bounds for mask in masks]
    if sampling is Sampling.AREA:
        shares = _area_shares(masks, np.array(bounds), frame.cell_edges(grid))
    else:
        sampled = [_bilinear_shares(mask.pixels(), frame, grid) for mask in masks]
        shares = np.stack(sampled).astype(np.float32)
    return [
        Coverage(cells, is_fallback=False)
        if cells.any()
        else _fallback(cells, ((x0 + x1) / 2, (y0 + y1) / 2), frame)
        for cells, (x0, y0, x1, y1) in zip(shares, bounds, strict=True)
    ]


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


def _area_shares(masks: Sequence[Runs], bounds: Doubles, edges: tuple[Doubles, Doubles]) -> Floats:
    """Return the share [K, G, G] of each cell that lies under the pixels of each mask.

    A run of pixels in a column covers what lies above its end, less what lies above its start: for
    each the whole of the cells before, and a part of its own cell. So only ends of runs are looked
    at, those of all masks at once, and only in the cells that a mask's box reaches. No product of
    matrices is made, whose threads would wait for one another in the processes of a data loader.

    Args:
        masks: K masks of the owner's picture.
        bounds: the boxes [K, 4] around the masks' pixels.
        edges: the edges of cells [G + 1] along x, and along y, owner's pixels.
    """
    edges_x, edges_y = edges
    (left, right), (top, bottom) = (
        _reached(cell_edges, bounds[:, axis], bounds[:, axis + 2])
        for axis, cell_edges in enumerate(edges)
    )
    across, down = right - left + 1, bottom - top + 1  # with a cell for what lies beyond the last
    stops = np.cumsum(across * down)

    mask = np.repeat(np.arange(len(masks)), [2 * len(runs) for runs in masks])
    columns = np.concatenate([column for runs in masks for column in (runs.columns,) * 2])
    ends = np.concatenate([end for runs in masks for end in (runs.starts, runs.stops)])
    signs = np.repeat([-1.0, 1.0] * len(masks), [len(runs) for runs in masks for _ in range(2)])
    reach = np.minimum(np.maximum(_cells(ends, edges_y) - top[mask], 0.0), down[mask] - 1)
    own_row = reach.astype(np.intp)
    first_entry = (stops - across * down)[mask] + own_row
    whole, parts = np.zeros((2, stops[-1]))
    for column, width in _columns_of_cells(columns, edges_x, left[mask], right[mask]):
        entry = first_entry + (column - left[mask]) * down[mask]
        whole += np.bincount(entry, signs * width, stops[-1])  # 0 in all over a column of cells
        parts += np.bincount(entry, signs * width * (reach - own_row), stops[-1])
    covered = parts - np.cumsum(whole)
    covered = np.where(covered > _NOISE, np.minimum(covered, 1.0), 0.0)

    shares = np.zeros((len(masks), len(edges_y) - 1, len(edges_x) - 1), np.float32)
    for number, part in enumerate(np.split(covered, stops[:-1])):
        cells = part.reshape(across[number], down[number])[:-1, :-1].T
        shares[number, top[number] : bottom[number], left[number] : right[number]] = cells
    return shares


def _columns_of_cells(
    pixels: NDArray[np.int64], edges: Doubles, left: Cells, right: Cells
) -> Iterator[tuple[Cells, Doubles]]:
    """Yield the columns of cells [E] that columns of pixels lie in, and the share of each cell.

    A column of pixels lies in two where cells are wider than pixels, and in more where they are
    narrower.

    Args:
        pixels: the columns [E] of pixels.
        edges: the edges of cells [G + 1] along x, owner's pixels.
        left: the first column of cells [E] that may be yielded.
        right: the last one, which stands for all from there on.
    """
    start, stop = _cells(pixels, edges), _cells(pixels + 1, edges)
    first = np.maximum(start.astype(np.intp), left)
    for column in range(int(np.ceil(stop[0] - start[0])) + 1):
        cell = first + column
        width = np.minimum(stop, cell + 1) - np.maximum(start, cell)
        yield np.minimum(cell, right), np.maximum(width, 0.0)


def _cells(points: NDArray[np.int64], edges: Doubles) -> Doubles:
    """Return points along one axis, pixels, in cells from the first one's edge."""
    cells: Doubles = (points - edges[0]) / (edges[1] - edges[0])
    return cells


def _reached(edges: Doubles, starts: Doubles, stops: Doubles) -> tuple[Cells, Cells]:
    """Return the first cell [K] along one axis with a part between two points [K], and the end."""
    first = np.maximum(np.searchsorted(edges, starts, side="right") - 1, 0)
    last = np.minimum(np.searchsorted(edges, stops, side="left"), len(edges) - 1)
    return first, np.maximum(last, first)


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

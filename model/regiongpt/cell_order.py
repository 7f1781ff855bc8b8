"""The two orders of a refined map's cells.

*Raster*: row by row, [N, G, G, K]. *By patch*: patch by patch, [N, P, B, K], in which the cells of
a patch follow one another as repeated halving of its sides makes them: its four quarters, and in
each of them its four quarters. Deconvolutions of kernel 2 give this order without moving a value:

    a patch halved twice     0  1  4  5
                             2  3  6  7
                             8  9 12 13
                            10 11 14 15

Letters: N maps, g patches on a side, P = g * g patches, L halvings, G = g * 2^L cells on a side,
B = 4^L cells of a patch, K values of a cell.
"""

from torch import Tensor


def by_patch(cells: Tensor, grid: int, halvings: int) -> Tensor:
    """Return cells [N, P, B, K] by patch from cells [N, G, G, K] in raster order.

    Args:
        cells: the cells of N maps.
        grid: the number g of patches on a side.
        halvings: the number L of times that the sides of a patch were halved.
    """
    side = (grid, *(2,) * halvings)
    halved = cells.reshape(cells.shape[0], *side, *side, cells.shape[3])
    rows = range(1, halvings + 2)
    pairs = [axis for row in rows for axis in (row, row + halvings + 1)]
    ordered = halved.permute(0, *pairs, halved.dim() - 1)
    return ordered.reshape(cells.shape[0], grid**2, 4**halvings, cells.shape[3])


def in_raster(cells: Tensor, grid: int, halvings: int) -> Tensor:
    """Return cells [N, G, G, K] in raster order from cells [N, P, B, K] by patch."""
    halved = cells.reshape(cells.shape[0], *(grid,) * 2, *(2,) * 2 * halvings, cells.shape[3])
    rows, columns = range(1, 2 * halvings + 3, 2), range(2, 2 * halvings + 3, 2)
    ordered = halved.permute(0, *rows, *columns, halved.dim() - 1)
    side = grid * 2**halvings
    return ordered.reshape(cells.shape[0], side, side, cells.shape[3])

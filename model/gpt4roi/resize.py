"""Bilinear interpolation of square maps, corner on corner, as two products with a small matrix.

The gradient is a product too: torch's own operator adds it up cell by cell in the precision of the
maps and in no fixed order on a GPU.

Letters in shapes: N maps, G cells on a side before and H after, C channels.
"""

import torch
from torch import Tensor


def resize_matrix(cells: int, target: int, like: Tensor) -> Tensor:
    """Return the weights of `cells` values in `target` values between them, first on first.

    Example, 2 cells to 3: `[[1, 0], [0.5, 0.5], [0, 1]]`.

    Returns:
        [target, cells], in the precision and on the device of `like`.
    """
    exact = torch.promote_types(like.dtype, torch.float32)
    centres = torch.arange(cells, dtype=exact, device=like.device)
    points = torch.arange(target, dtype=exact, device=like.device)
    points = points * ((cells - 1) / max(target - 1, 1))
    weights = 1 - (points[:, None] - centres).abs()
    return weights.clamp(min=0).to(like.dtype)


def resize(maps: Tensor, matrix: Tensor) -> Tensor:
    """Return maps with another number of cells.

    Args:
        maps: [N, G, G, C].
        matrix: [H, G], from `resize_matrix`.

    Returns:
        [N, H, H, C].
    """
    count, cells, _, channels = maps.shape
    target = matrix.shape[0]
    # Columns first: some of a map's channels can be taken as they lie.
    columns = matrix @ maps.flatten(0, 1)  # [N * G, H, C]
    rows = matrix @ columns.reshape(count, cells, target * channels)  # [N, H, H * C]
    return rows.reshape(count, target, target, channels)

"""Keys and values of a packed row whose segments all begin with the tokens of the first.

These tokens are in the row once, as its first segment. Their keys and values are gathered before
those of each other segment, so that an attention kernel has all that a segment sees in a piece.

Letters in shapes: N segments, P tokens of the first, T tokens of the row, S keys of all segments:
T + (N - 1) * P; K key-value heads, E the width of a head.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor


class SharedKeys(NamedTuple):
    """The keys of the segments of such a row."""

    offsets: Tensor  # [N + 1] int32, the first key of each segment, and S
    positions: Tensor  # [S], the position in the row of each key
    copies: Tensor  # [P, N], where each token of the first segment is among the keys
    singles: Tensor  # [T - P], where each other token is


def shared_keys(offsets: Tensor, positions: Tensor, tokens: int) -> SharedKeys:
    """Return the keys of a row of so many tokens, of a batch's `key_offsets` and `key_positions`.

    No value is read, so that the host need not wait for a device.
    """
    count = len(offsets) - 1
    first = (len(positions) - tokens) // (count - 1)
    columns = positions.argsort(stable=True)
    return SharedKeys(
        offsets=offsets,
        positions=positions,
        copies=columns[: first * count].unflatten(0, (first, count)),
        singles=columns[first * count :],
    )


def of_segments(heads: Tensor, shared: SharedKeys) -> Tensor:
    """Return keys or values of a row [1, K, T, E] as its segments see them, [1, K, S, E]."""
    gathered: Tensor = _Gathered.apply(heads.transpose(1, 2), *shared[1:])
    return gathered.transpose(1, 2)


class _Gathered(torch.autograd.Function):
    """Keys or values [1, T, K, E] gathered to [1, S, K, E].

    Their gradients are gathered too, and those of copies summed; autograd would add all of them up
    one by one, in an order that changes.
    """

    @staticmethod
    def forward(
        context: Any, heads: Tensor, positions: Tensor, copies: Tensor, singles: Tensor
    ) -> Tensor:
        """Return the heads at these positions."""
        context.save_for_backward(copies, singles)
        return heads.index_select(1, positions)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        """Return the gradient of the heads."""
        copies, singles = context.saved_tensors
        first = gradient.index_select(1, copies.flatten()).unflatten(1, copies.shape).sum(2)
        return torch.cat([first, gradient.index_select(1, singles)], 1), None, None, None

"""The order of rows in an epoch, and the batches that they fall into, by hashing.

An order follows from the seed, the epoch and the rows' ids alone: not from the number of processes
or workers, nor from the order of shards. So a run resumes in the middle of an epoch by the number
of the batch, with another number of processes too.

Rows of any length go into one batch, as nothing is padded. They are dealt to micro-batches and
processes by what they cost, so that all of these have about as much to compute.
"""

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray

from schemas.ids import RANK_BITS, Hasher

Indices = NDArray[np.int64]
Costs = NDArray[np.float64]  # e.g. FLOPs


def shares_of(configs: Sequence[str], weights: Mapping[str, float]) -> NDArray[np.float64]:
    """Return how often each row of a list of configs comes in an epoch: 1 unless weighted."""
    return np.array([weights.get(config, 1.0) for config in configs])


def epoch_order(
    ids: Sequence[str], *, seed: int, epoch: int, shares: NDArray[np.float64] | None = None
) -> Indices:
    """Return the numbers of the rows in the order of an epoch.

    Args:
        ids: the rows' ids.
        seed: the run's seed.
        epoch: from 0.
        shares: how often each row comes, 1 where None; 2.5: twice, and in every second epoch by
            hash a third time.
    """
    hasher = Hasher("order", seed, epoch)
    times = np.ones(len(ids), dtype=np.int64)
    if shares is not None:
        chance = np.array([hasher.rank("again", name) for name in ids]) / 2.0**RANK_BITS
        times = np.floor(shares + chance).astype(np.int64)
    numbers = np.repeat(np.arange(len(ids)), times)
    nth = np.arange(len(numbers)) - np.repeat(np.cumsum(times) - times, times)
    pairs = zip(numbers.tolist(), nth.tolist(), strict=True)
    ranks = [hasher.rank(ids[number], copy) for number, copy in pairs]
    return numbers[np.argsort(np.array(ranks, dtype=np.int64), kind="stable")]


def batches(order: Indices, costs: Costs, size: int) -> list[Indices]:
    """Return the batches of an epoch, the rows of each from the most to the least costly.

    Args:
        order: the numbers of the rows, from `epoch_order`.
        costs: of every row, by number.
        size: rows of a batch; the last of the epoch may have fewer.
    """
    cut = (order[start : start + size] for start in range(0, len(order), size))
    return [batch[np.argsort(-costs[batch], kind="stable")] for batch in cut]


def dealt(batch: Indices, costs: Costs, parts: int) -> list[Indices]:
    """Return the rows of a batch in parts of about the same number and cost.

    Each row goes to the part that has cost the least so far, of those that have room for one more.
    Ten rows that cost 10, 9, ... 1, in three parts: 0 5 6, 1 4 7, 2 3 8 9.

    Args:
        batch: of `batches`.
        costs: of its rows, from the highest on.
        parts: the number of parts; of few rows, the last ones get none.
    """
    room, longer = divmod(len(batch), parts)  # so many parts have room for one more
    taken: list[list[int]] = [[] for _ in range(parts)]
    open_parts = [(0.0, part) for part in range(parts)]
    heapify(open_parts)
    for row, cost in zip(batch.tolist(), costs.tolist(), strict=True):
        spent, part = heappop(open_parts)
        while len(taken[part]) == room and not longer:
            spent, part = heappop(open_parts)
        longer -= len(taken[part]) == room
        taken[part].append(row)
        if len(taken[part]) <= room:
            heappush(open_parts, (spent + cost, part))
    return [np.array(rows, dtype=np.int64) for rows in taken]

"""The order of rows in an epoch, and the batches that they fall into, by hashing.

An order follows from the seed, the epoch and the rows' ids alone: not from the number of processes
or workers, nor from the order of shards. So a run resumes in the middle of an epoch by the number
of the batch, with another number of processes too.

Rows of about the same length go into one batch, so that little is padded: some batches' rows are
taken from the order, sorted by length, cut into batches, and those are shuffled.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.ids import RANK_BITS, Hasher

Indices = NDArray[np.int64]

_TOGETHER = 50  # batches whose rows are sorted together


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


def batches(
    order: Indices, lengths: NDArray[np.int64], size: int, *, seed: int, epoch: int
) -> list[Indices]:
    """Return the batches of an epoch, of rows of about the same length each.

    Args:
        order: the numbers of the rows, from `epoch_order`.
        lengths: of every row, by number.
        size: rows of a batch; the last of the epoch may have fewer.
        seed: the run's seed.
        epoch: from 0.
    """
    cut: list[Indices] = []
    for begin in range(0, len(order), size * _TOGETHER):
        some = order[begin : begin + size * _TOGETHER]
        some = some[np.argsort(-lengths[some], kind="stable")]
        cut += [some[start : start + size] for start in range(0, len(some), size)]
    whole = [batch for batch in cut if len(batch) == size]
    hasher = Hasher("batches", seed, epoch)
    whole = [whole[k] for k in sorted(range(len(whole)), key=hasher.rank)]
    return whole + [batch for batch in cut if len(batch) < size]


def part_of(batch: Indices, rank: int, world: int) -> Indices:
    """Return the rows of a batch that a process of several trains on: every `world`-th."""
    return batch[rank::world]

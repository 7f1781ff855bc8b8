"""Helpers of the full-size data sets: counts per image, and files written in batches."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_AT_ONCE = 20_000  # items in memory at a time


def scaled(count: int, scale: float) -> int:
    """Return a share of a count, at least 1."""
    return max(1, round(count * scale))


def shared_out(rng: np.random.Generator, total: int, places: int) -> NDArray[np.int64]:
    """Return random counts, (places,), that add up to a total, with equal expected values."""
    return rng.multinomial(total, np.full(places, 1 / places))


def starts_of(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the start of each group, (places,), if groups of these counts are concatenated."""
    return np.cumsum(counts) - counts


def write_json(path: Path, parts: Iterable[bytes | Iterable[bytes]]) -> None:
    """Write JSON from parts: a text is written as it is, a list of texts with commas between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for part in parts:
            if isinstance(part, bytes):
                file.write(part)
                continue
            comma = b""
            for items in batches(part):
                file.write(comma + b",".join(items))
                comma = b","


def write_lines(path: Path, lines: Iterable[bytes]) -> None:
    """Write lines to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for items in batches(lines):
            file.write(b"\n".join(items) + b"\n")


def batches(items: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield items in batches of `_AT_ONCE`."""
    remaining = iter(items)
    while batch := list(islice(remaining, _AT_ONCE)):
        yield batch

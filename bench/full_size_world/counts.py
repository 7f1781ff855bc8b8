"""Numbers of things, and long files of many small pieces."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

AT_ONCE = 20_000  # pieces held in memory


def scaled(count: int, scale: float) -> int:
    """Return the share of a number, 1 at least."""
    return max(1, round(count * scale))


def shared_out(rng: np.random.Generator, total: int, places: int) -> NDArray[np.int64]:
    """Return the number of things at each place, about equally many: (places,)."""
    return rng.multinomial(total, np.full(places, 1 / places))


def starts_of(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the index of each place's first thing in one long row: (places,)."""
    return np.cumsum(counts) - counts


def write_json(path: Path, parts: Iterable[bytes | Iterable[bytes]]) -> None:
    """Write a file of texts and of lists of texts; commas part the items of a list."""
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
    """Write a file of lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for items in batches(lines):
            file.write(b"\n".join(items) + b"\n")


def batches(items: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Yield items by the thousand."""
    remaining = iter(items)
    while batch := list(islice(remaining, AT_ONCE)):
        yield batch

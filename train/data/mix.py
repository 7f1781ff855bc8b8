"""The rows of several builds as one, or some of them by hash."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from schemas.ids import Hasher
from train.data.rows import Row, Rows


class JoinedRows:
    """The rows of several builds, one build after another."""

    def __init__(self, parts: Sequence[Rows]) -> None:
        self._parts = list(parts)
        self._ends = list(accumulate(map(len, self._parts)))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, number: int) -> Row:
        """Return a row."""
        part = bisect_right(self._ends, number)
        before = self._ends[part - 1] if part else 0
        return self._parts[part][number - before]

    def ids(self) -> list[str]:
        """Return the ids of all rows, in order."""
        return [name for part in self._parts for name in part.ids()]

    def configs(self) -> list[str]:
        """Return the config of every row, in order."""
        return [name for part in self._parts for name in part.configs()]

    def characters(self) -> NDArray[np.int64]:
        """Return the number of characters of all messages of every row, in order."""
        return np.concatenate([part.characters() for part in self._parts])

    def regions(self) -> NDArray[np.int64]:
        """Return the number of regions of every row, in order."""
        return np.concatenate([part.regions() for part in self._parts])

    def with_picture(self) -> NDArray[np.bool_]:
        """Return whether every row has a picture, in order."""
        return np.concatenate([part.with_picture() for part in self._parts])


class SomeRows:
    """Some of the rows, in their order: as many as asked for, chosen by the hash of their ids."""

    def __init__(self, rows: Rows, limit: int, seed: int) -> None:
        self._rows = rows
        hasher = Hasher("limit", seed)
        ranks = np.array([hasher.rank(name) for name in rows.ids()], dtype=np.int64)
        self._numbers = np.sort(np.argsort(ranks, kind="stable")[:limit])

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, number: int) -> Row:
        """Return a row."""
        return self._rows[int(self._numbers[number])]

    def ids(self) -> list[str]:
        """Return the ids of all rows, in order."""
        return self._of(self._rows.ids())

    def configs(self) -> list[str]:
        """Return the config of every row, in order."""
        return self._of(self._rows.configs())

    def characters(self) -> NDArray[np.int64]:
        """Return the number of characters of all messages of every row, in order."""
        return self._rows.characters()[self._numbers]

    def regions(self) -> NDArray[np.int64]:
        """Return the number of regions of every row, in order."""
        return self._rows.regions()[self._numbers]

    def with_picture(self) -> NDArray[np.bool_]:
        """Return whether every row has a picture, in order."""
        return self._rows.with_picture()[self._numbers]

    def _of(self, names: Sequence[str]) -> list[str]:
        return [names[number] for number in self._numbers]

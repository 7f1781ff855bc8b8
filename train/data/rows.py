"""The rows of a build's shards, by number, read where they lie: shards are mapped into memory.

Opening reads the framing of each shard, not its rows. A row is checked when it is read: by the
rules of the record (`schemas.check`), so that training meets no row that `verify` would refuse.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.check import check_record
from schemas.errors import InputFileError
from schemas.manifest import Shard
from schemas.shard import SCHEMA
from train.data.build import Build

Row = dict[str, Any]  # as in `schemas.shard`

# What pyarrow raises on damaged bytes; UnicodeDecodeError, on names and texts.
_DAMAGE = (pa.ArrowException, OSError, UnicodeDecodeError)


class Rows(Protocol):
    """Rows by number, with what is known of all of them without reading one."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def __getitem__(self, number: int) -> Row:
        """Return a row."""

    def ids(self) -> list[str]:
        """Return the ids of all rows, in order."""

    def configs(self) -> list[str]:
        """Return the config of every row, in order."""

    def characters(self) -> NDArray[np.int64]:
        """Return the number of characters of all messages of every row, in order."""

    def regions(self) -> NDArray[np.int64]:
        """Return the number of regions of every row, in order."""

    def with_picture(self) -> NDArray[np.bool_]:
        """Return whether every row has a picture, in order."""


@dataclass(frozen=True)
class _Mapped:
    """A shard in memory: its path, and its record batches, which are views of the file."""

    path: Path
    config: str
    batches: list[pa.RecordBatch]


class ShardRows:
    """The rows of some shards, in the order of the shards.

    Pickled, it is a list of paths: a process that loads data maps the shards for itself.
    """

    def __init__(self, build: Build, shards: Sequence[Shard]) -> None:
        self._build = build
        self._shards = list(shards)
        self._mapped = [_mapped(build.folder, shard) for shard in self._shards]
        self._batches = [batch for shard in self._mapped for batch in shard.batches]
        self._ends = list(accumulate(len(batch) for batch in self._batches))

    def __reduce__(self) -> tuple[type["ShardRows"], tuple[Build, list[Shard]]]:
        """Return what a pickle holds instead of the mapped shards."""
        return type(self), (self._build, self._shards)

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[Row]:
        """Yield every row, in order."""
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> Row:
        """Return a row.

        Raises:
            InputFileError: the row is damaged, or breaks a rule of the record; the message names
                its shard and id.
        """
        position = bisect_right(self._ends, number)
        batch = self._batches[position]
        offset = number - (self._ends[position] - len(batch))
        one = batch.slice(offset, 1)
        try:
            one.validate(full=True)
            (row,) = one.to_pylist()
        except _DAMAGE as error:
            raise self._damaged(number, f"row {offset} of a batch", str(error)) from None
        if problems := check_record(row):
            raise self._damaged(number, f"the record {row['id']!r}", problems[0])
        return row

    def columns(self, names: Sequence[str]) -> Iterator[Row]:
        """Yield some columns of every row, in order; what is left out, as pictures, is not read.

        Raises:
            InputFileError: a row is damaged.
        """
        for number, batch in enumerate(self._batches):
            some = batch.select(list(names))
            try:
                some.validate(full=True)
                rows = some.to_pylist()
            except _DAMAGE as error:
                first = self._ends[number] - len(batch)
                raise self._damaged(first, f"batch {number}", str(error)) from None
            yield from rows

    def ids(self) -> list[str]:
        """Return the ids of all rows, in order."""
        return [name for batch in self._batches for name in batch.column("id").to_pylist()]

    def configs(self) -> list[str]:
        """Return the config of every row, in order."""
        return [
            shard.config
            for shard in self._mapped
            for batch in shard.batches
            for _ in range(len(batch))
        ]

    def categories(self) -> list[list[str]]:
        """Return the categories of the regions of every row, in order; some regions have none."""
        return [names for batch in self._batches for names in _categories(batch)]

    def characters(self) -> NDArray[np.int64]:
        """Return the number of characters of all messages of every row, in order: its length."""
        return np.concatenate([_characters(batch) for batch in self._batches] or [np.zeros(0, int)])

    def regions(self) -> NDArray[np.int64]:
        """Return the number of regions of every row, in order."""
        counts = [pc.list_value_length(batch.column("regions")) for batch in self._batches]
        filled = [np.asarray(count.fill_null(0), dtype=np.int64) for count in counts]
        return np.concatenate(filled or [np.zeros(0, int)])

    def with_picture(self) -> NDArray[np.bool_]:
        """Return whether every row has a picture, in order."""
        return np.concatenate(
            [np.asarray(batch.column("width").is_valid(), dtype=bool) for batch in self._batches]
            or [np.zeros(0, bool)]
        )

    def _damaged(self, number: int, row: str, fault: str) -> InputFileError:
        shard = self._mapped[bisect_right(self._shard_ends(), number)]
        return InputFileError(
            f"{shard.path}: {row}: {fault}. Copy or build the shard again; `regionforge verify` "
            "says more"
        )

    def _shard_ends(self) -> list[int]:
        return list(accumulate(sum(map(len, shard.batches)) for shard in self._mapped))


def _mapped(folder: Path, shard: Shard) -> _Mapped:
    """Map a shard into memory, and check its schema and its number of rows.

    Raises:
        InputFileError: it is no shard of ours, or ends too early.
    """
    path = folder / shard.path
    try:
        with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
            schema, batches = stream.schema, list(stream)
    except _DAMAGE as error:
        raise InputFileError(f"cannot read the shard {path}: {error}") from None
    if not schema.equals(SCHEMA):
        raise InputFileError(f"{path}: its columns are not those of a shard: {_fault_of(schema)}")
    rows = sum(map(len, batches))
    if rows != shard.rows:
        raise InputFileError(f"{path} has {rows} rows, expected {shard.rows} by the manifest")
    return _Mapped(path, shard.config, batches)


def _fault_of(schema: pa.Schema) -> str:
    """Return the first column that is not as records have it."""
    for name in SCHEMA.names:
        if name not in schema.names:
            return f"{name!r} is missing"
        if not schema.field(name).equals(SCHEMA.field(name)):
            return f"{name!r} is of another type"
    unknown = [name for name in schema.names if name not in SCHEMA.names]
    return f"{unknown[0]!r} is unknown" if unknown else "their order differs"


def _categories(batch: pa.RecordBatch) -> list[list[str]]:
    regions = batch.column("regions")
    names = pc.struct_field(regions.flatten(), "category").to_pylist()
    ends = np.cumsum(np.asarray(pc.list_value_length(regions))).tolist()
    rows = zip([0, *ends], ends, strict=False)
    return [[name for name in names[start:end] if name is not None] for start, end in rows]


def _characters(batch: pa.RecordBatch) -> NDArray[np.int64]:
    messages = batch.column("messages")
    lengths = pc.utf8_length(pc.struct_field(messages.flatten(), "content"))
    sums = np.concatenate([[0], np.cumsum(np.asarray(lengths, dtype=np.int64))])
    offsets = np.asarray(messages.offsets, dtype=np.int64)
    offsets = offsets - offsets[0]
    counted: NDArray[np.int64] = sums[offsets[1:]] - sums[offsets[:-1]]
    return counted

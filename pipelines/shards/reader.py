"""The reader of shards: record batches in order, optionally with a hash of every byte.

Arrow accepts a stream that ends early between two batches, does not check the offsets in a batch,
and unpacks compressed buffers whatever their size. So the end of the stream is checked here, each
batch is validated, and compressed ones are refused.
"""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import pyarrow as pa

from pipelines.shards.arrow_message import is_compressed
from pipelines.storage.files import CHUNK_BYTES, is_local, open_read, size_of
from schemas.errors import InputFileError
from schemas.shard import SCHEMA

_END_BYTES = 8  # of the end-of-stream marker: a continuation mark, and a length of 0

# Errors that pyarrow raises on damaged bytes; UnicodeDecodeError, on names of fields.
DAMAGE = (pa.ArrowException, OSError, UnicodeDecodeError)


class HashingSource:
    """A file for pyarrow to read from that also hashes the bytes."""

    closed = False

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._left = size
        self.bytes = 0

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes, or the rest of the file."""
        wanted = min(size, self._left)
        data = self._file.read(wanted)
        while len(data) < wanted and (more := self._file.read(wanted - len(data))):
            data += more
        self._digest.update(data)
        self._left -= len(data)
        self.bytes += len(data)
        return data

    def drain(self) -> None:
        """Read the file to its end."""
        while self.read(CHUNK_BYTES):
            pass

    def sha256(self) -> str:
        """Return the SHA-256 of all bytes that were read, in hexadecimal."""
        return self._digest.hexdigest()


class ShardStream:
    """The record batches of a shard, in order; damage raises one of the errors in `DAMAGE`."""

    def __init__(self, source: HashingSource) -> None:
        self._source = source
        self._messages = pa.ipc.MessageReader.open_stream(pa.PythonFile(source, mode="r"))
        first = next(self._messages, None)
        if first is None or first.type != "schema":
            raise pa.ArrowInvalid("does not begin with a schema")
        self.schema: pa.Schema = pa.ipc.read_schema(first)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Yield the batches; raise an error where the stream lacks its end marker."""
        end = self._source.bytes
        for message in self._messages:
            _check_message(message)
            batch = pa.ipc.read_record_batch(message, self.schema)
            batch.validate(full=True)
            end = self._source.bytes
            yield batch
        if self._source.bytes != end + _END_BYTES:
            raise pa.ArrowInvalid("breaks off without an end-of-stream marker")
        if self._source.read(1):
            raise pa.ArrowInvalid("goes on after its end-of-stream marker")


def _check_message(message: pa.Message) -> None:
    """Raise `ArrowInvalid` where a message is no record batch of uncompressed buffers."""
    if message.type != "record batch":
        raise pa.ArrowInvalid(f"holds a {message.type}, expected record batches alone")
    try:
        compressed = is_compressed(message.metadata.to_pybytes())
    except struct.error:
        raise pa.ArrowInvalid("the header of a record batch is damaged") from None
    if compressed:
        raise pa.ArrowInvalid("holds compressed buffers, expected them as they are")


def read_batches(path: str) -> Iterator[pa.RecordBatch]:
    """Yield the record batches of a shard."""
    with open_read(path) as file:
        yield from ShardStream(HashingSource(file, size_of(path)))


def read_columns(path: str, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield some columns of a shard's record batches; damage raises one of the errors in `DAMAGE`.

    A local shard is mapped into memory, so that pages of the other columns are not read; its
    batches are views of the file. A shard that ends too early shows only in the number of rows.
    """
    for batch in _mapped_batches(path, names) if is_local(path) else read_batches(path):
        if not set(names) <= set(batch.schema.names):
            raise pa.ArrowInvalid(f"its columns are {batch.schema.names}, expected {names}")
        selected = batch.select(names)
        if any(field.type != SCHEMA.field(field.name).type for field in selected.schema):
            raise pa.ArrowInvalid(
                f"its columns are {selected.schema}, expected those of our shards"
            )
        selected.validate(full=True)
        yield selected


def shard_batches(path: str) -> Iterator[pa.RecordBatch]:
    """Yield the record batches of a shard; a local shard is mapped into memory, not read whole.

    Raises:
        InputFileError: the shard cannot be read.
    """
    try:
        if not is_local(path):
            yield from read_batches(path)
        else:
            for batch in _mapped_batches(path):
                batch.validate(full=True)
                yield batch
    except DAMAGE as error:
        raise InputFileError(
            f"cannot read the shard {path}: {error}. `regionforge verify` says more."
        ) from None


def _mapped_batches(path: str, names: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    columns = names and [SCHEMA.get_field_index(name) for name in names]
    options = pa.ipc.IpcReadOptions(included_fields=columns)
    with pa.memory_map(path) as file, pa.ipc.open_stream(file, options=options) as stream:
        yield from stream

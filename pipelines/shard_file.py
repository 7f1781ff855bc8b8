"""One shard on its way to disk: record batches in, bytes hashed and written as they come."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import BinaryIO

import pyarrow as pa

from pipelines.files import open_whole
from schemas import shard
from schemas.columns import BuildStamp, ImageColumn, Row, to_batch

BATCH_BYTES = 4 * 1024 * 1024  # of image data
BATCH_ROWS = 512
LARGE = 256 * 1024  # bytes worth a call to the operating system and to another thread


class HashingSink:
    """What pyarrow writes into: small pieces are gathered, large ones hashed while written.

    A shard is mostly image bytes, but most pieces are small; each call that lets go of the
    interpreter's lock may wait long to have it back, so there must be few of them.
    """

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._hasher = ThreadPoolExecutor(max_workers=1)
        self._gathered = bytearray()
        self.bytes = 0

    def write(self, data: pa.Buffer | bytes) -> int:
        """Take data in; it may be changed afterwards."""
        view = memoryview(data)
        self.bytes += len(view)
        if len(view) < LARGE:
            self._gathered += view
            if len(self._gathered) >= LARGE:
                self.flush()
        else:
            self.flush()
            self._pass_on(view)
        return len(view)

    def flush(self) -> None:
        """Pass on what is gathered."""
        if self._gathered:
            self._pass_on(memoryview(bytes(self._gathered)))
            self._gathered.clear()

    def _pass_on(self, view: memoryview) -> None:
        hashed = self._hasher.submit(self._digest.update, view)
        written = 0
        while written < len(view):
            written += self._file.write(view[written:]) or 0
        hashed.result()

    def stop(self) -> None:
        """End the hashing thread."""
        self._hasher.shutdown()

    def close(self) -> None:
        """Do nothing; the file belongs to who opened it."""

    def sha256(self) -> str:
        """Return the digest of all that was passed on, in hexadecimal."""
        return self._digest.hexdigest()


class ShardFile:
    """Collects rows into batches; a thread writes one batch while the next one fills."""

    def __init__(self, sink: HashingSink, stamp: BuildStamp, embed: bool) -> None:
        self._sink = sink
        self._stamp = stamp
        self._embed = embed
        self._writer = pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), shard.SCHEMA)
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._pending: Future[None] | None = None
        self._spare = ImageColumn(2 * BATCH_BYTES)
        self._rows: list[Row] = []
        self.images = ImageColumn(2 * BATCH_BYTES)
        self.rows = 0

    def repeat_image(self) -> None:
        """Put the image of the last row into `images` once more."""
        last = (self.images if self._rows else self._spare).last()
        self.images.room(len(last))[:] = last
        self.images.commit(len(last))

    def add(self, row: Row) -> None:
        """Add a row, whose image, if it is embedded, has been put into `images`."""
        self._rows.append(row)
        self.rows += 1
        if self.images.size >= BATCH_BYTES or len(self._rows) >= BATCH_ROWS:
            self._hand_over()

    def finish(self) -> None:
        """Write what is left and the end of the stream."""
        if self._rows:
            self._hand_over()
        self._wait()
        self._writer.close()
        self._sink.flush()

    def close(self) -> None:
        """Stop the thread."""
        self._pool.shutdown()

    def _hand_over(self) -> None:
        self._wait()
        images = self.images.array() if self._embed else None
        self._pending = self._pool.submit(self._write, self._rows, images)
        self._rows = []
        self.images, self._spare = self._spare, self.images
        self.images.clear()

    def _write(self, rows: list[Row], images: pa.Array | None) -> None:
        self._writer.write_batch(to_batch(rows, images, self._stamp))

    def _wait(self) -> None:
        if self._pending is not None:
            self._pending.result()


@contextmanager
def shard_file(
    path: str, stamp: BuildStamp, *, embed: bool
) -> Iterator[tuple[ShardFile, HashingSink]]:
    """Open a shard for writing; when the block ends well it is complete under its name."""
    with open_whole(path) as file:
        sink = HashingSink(file)
        shard_out = ShardFile(sink, stamp, embed)
        try:
            yield shard_out, sink
            shard_out.finish()
        finally:
            shard_out.close()
            sink.stop()

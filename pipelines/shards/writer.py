"""The writer of one shard: rows are gathered into record batches, hashed and written."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import BinaryIO

import pyarrow as pa

from pipelines.storage.files import open_whole
from schemas import shard
from schemas.columns import (
    BuildStamp,
    ImageColumn,
    Row,
    caption_counts,
    to_batch,
    turn_counts,
)
from schemas.manifest import TurnCount

BATCH_BYTES = 4 * 1024 * 1024  # of image data
BATCH_ROWS = 512
_COUNTED = ["turn_tasks", "messages", "regions"]  # columns that are counted, for many rows at once
LARGE = 256 * 1024  # bytes that justify a call to the operating system and to another thread


class HashingSink:
    """A file for pyarrow to write into; it gathers small pieces, and hashes large ones in a thread.

    A shard is mostly image bytes, but most pieces are small; each call that releases the
    interpreter's lock may wait long to get it back, so there must be few such calls.
    """

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self._hasher = ThreadPoolExecutor(max_workers=1)
        self._gathered = bytearray()
        self.bytes = 0

    def write(self, data: pa.Buffer | bytes) -> int:
        """Write bytes; the caller may change the buffer afterwards."""
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
        """Write the gathered bytes."""
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
        """Do nothing; the code that opened the file closes it."""

    def sha256(self) -> str:
        """Return the SHA-256 of all bytes written, in hexadecimal."""
        return self._digest.hexdigest()


class ShardFile:
    """An open shard: rows are gathered into a batch while a thread writes the batch before."""

    def __init__(self, sink: HashingSink, stamp: BuildStamp, embed: bool) -> None:
        self._sink = sink
        self._stamp = stamp
        self._embed = embed
        self._writer = pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), shard.SCHEMA)
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._pending: Future[None] | None = None
        self._spare = ImageColumn(2 * BATCH_BYTES if embed else 0)
        self._batch: list[Row] = []
        self._uncounted: list[pa.RecordBatch] = []  # the columns of text of some batches
        self.images = ImageColumn(2 * BATCH_BYTES if embed else 0)
        self.rows = 0
        self.captions = self.caption_words = 0
        self._turns: Counter[str] = Counter()  # by task
        self._words: Counter[str] = Counter()  # of the answers, by task

    @property
    def turns(self) -> dict[str, TurnCount]:
        """The turns that were written, by task, in alphabetical order."""
        return {
            task: TurnCount(turns=number, words=self._words[task])
            for task, number in sorted(self._turns.items())
        }

    def repeat_image(self) -> None:
        """Append the image of the last row to `images` again."""
        last = (self.images if self._batch else self._spare).last()
        self.images.room(len(last))[:] = last
        self.images.commit(len(last))

    def add(self, row: Row) -> None:
        """Add a row; the bytes of an embedded image must already be in `images`."""
        self._batch.append(row)
        self.rows += 1
        if self.images.size >= BATCH_BYTES or len(self._batch) >= BATCH_ROWS:
            self._hand_over()

    def finish(self) -> None:
        """Write the last batch and the end of the stream."""
        if self._batch:
            self._hand_over()
        self._count()
        self._wait()
        self._writer.close()
        self._sink.flush()

    def close(self) -> None:
        """Stop the writing thread."""
        self._pool.shutdown()

    def _hand_over(self) -> None:
        self._wait()
        images = self.images.array() if self._embed else None
        batch = to_batch(self._batch, self._stamp, images)
        self._uncounted.append(batch.select(_COUNTED))
        if sum(map(len, self._uncounted)) >= BATCH_ROWS:
            self._count()
        self._pending = self._pool.submit(self._writer.write_batch, batch)
        self._batch = []
        self.images, self._spare = self._spare, self.images
        self.images.clear()

    def _count(self) -> None:
        """Count what the batches since the last count hold."""
        if not self._uncounted:
            return
        rows = pa.concat_batches(self._uncounted)
        self._uncounted = []
        captions, words = caption_counts(rows)
        self.captions += captions
        self.caption_words += words
        for task, (turns, words) in turn_counts(rows).items():
            self._turns[task] += turns
            self._words[task] += words

    def _wait(self) -> None:
        if self._pending is not None:
            self._pending.result()


@contextmanager
def shard_file(
    path: str, stamp: BuildStamp, *, embed: bool
) -> Iterator[tuple[ShardFile, HashingSink]]:
    """Open a shard for writing; the file gets its name when the block ends without an error."""
    with open_whole(path) as file:
        sink = HashingSink(file)
        shard_out = ShardFile(sink, stamp, embed)
        try:
            yield shard_out, sink
            shard_out.finish()
        finally:
            shard_out.close()
            sink.stop()

"""The shards of an output whose records come from other outputs: copied whole, or written anew."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator

import pyarrow as pa

from pipelines.output.pictures import Picture
from pipelines.parts.part import SplitKey
from pipelines.shards.writer import BATCH_BYTES, BATCH_ROWS, HashingSink
from pipelines.storage import files
from schemas.columns import caption_counts, turn_counts
from schemas.errors import InputFileError
from schemas.ids import RANK_BITS
from schemas.layout import shard_path
from schemas.manifest import Shard, TurnCount
from schemas.shard import SCHEMA


def copy_shard(origin: str, shard: Shard, output: str) -> Shard:
    """Copy a shard from one output to another, and return its entry.

    Raises:
        InputFileError: its content is not that of the manifest.
    """
    source = files.join(origin, shard.path)
    digest = hashlib.sha256()
    with (
        files.open_read(source) as file,
        files.open_whole(files.join(output, shard.path)) as target,
    ):
        while chunk := file.read(files.CHUNK_BYTES):
            digest.update(chunk)
            target.write(chunk)
        if digest.hexdigest() != shard.sha256:
            raise InputFileError(
                f"the shard {source} is not what the manifest says; `regionforge verify` says more"
            )
    return shard


def write_split(output: str, key: SplitKey, of: int, pictures: Iterator[Picture]) -> list[Shard]:
    """Write the shards of a split, and return their entries.

    Args:
        output: the folder of the output.
        key: the config and the split.
        of: the number of shards.
        pictures: the pictures with their records, in order.
    """
    shards = []
    waiting = next(pictures, None)
    for index in range(of):
        path = shard_path(*key, index, of)
        with files.open_whole(files.join(output, path)) as file:
            sink = HashingSink(file)
            try:
                records = _ShardRecords(sink)
                while waiting is not None and waiting.key[0] * of >> RANK_BITS == index:
                    records.add(waiting.batches)
                    waiting = next(pictures, None)
                records.finish()
            finally:
                sink.stop()
        shards.append(
            Shard(
                config=key[0],
                split=key[1],
                index=index,
                of=of,
                path=path,
                rows=records.rows,
                bytes=sink.bytes,
                sha256=sink.sha256(),
                captions=records.captions,
                caption_words=records.caption_words,
                turns=records.turns(),
            )
        )
    return shards


class _ShardRecords:
    """The records of a shard on their way into it, gathered to batches as builds write them."""

    def __init__(self, sink: HashingSink) -> None:
        self._sink = sink
        self._writer = pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), SCHEMA)
        self._gathered: list[pa.RecordBatch] = []
        self._turns: Counter[str] = Counter()  # by task
        self._words: Counter[str] = Counter()
        self._waiting_rows = self._waiting_bytes = 0
        self.rows = self.captions = self.caption_words = 0

    def add(self, batches: Iterable[pa.RecordBatch]) -> None:
        """Add the records of a picture."""
        for batch in batches:
            self._gathered.append(batch)
            self._waiting_rows += batch.num_rows
            self._waiting_bytes += batch.nbytes
        if self._waiting_rows >= BATCH_ROWS or self._waiting_bytes >= BATCH_BYTES:
            self._write()

    def finish(self) -> None:
        """Write the last batch and the end of the stream."""
        self._write()
        self._writer.close()
        self._sink.flush()

    def turns(self) -> dict[str, TurnCount]:
        """Return the turns that were written, by task."""
        return {
            task: TurnCount(turns=number, words=self._words[task])
            for task, number in sorted(self._turns.items())
        }

    def _write(self) -> None:
        if not self._gathered:
            return
        batch = pa.concat_batches(self._gathered).replace_schema_metadata(SCHEMA.metadata)
        self._gathered = []
        self._waiting_rows = self._waiting_bytes = 0
        self._writer.write_batch(batch)
        self.rows += batch.num_rows
        captions, words = caption_counts(batch)
        self.captions += captions
        self.caption_words += words
        for task, (turns, of_answers) in turn_counts(batch).items():
            self._turns[task] += turns
            self._words[task] += of_answers

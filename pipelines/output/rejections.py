"""Rejected items on their way to disk: one sorted file per config, in bounded memory.

A large data set may have millions of rejected items, so they do not travel one by one: each worker
sorts and compresses its rejections into runs, whose blocks go into a spool, and the writer merges
the runs line by line.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator

import apache_beam as beam
import pyarrow as pa
from apache_beam.utils.windowed_value import WindowedValue

from pipelines.storage import files
from pipelines.storage.spool import Spool, Spooled, value_of
from schemas.layout import rejected_path
from schemas.rejection import Rejection
from transforms.stage import in_bundle

RUN_ITEMS = 50_000  # rejections sorted together
BLOCK_LINES = 500  # of each run in memory while runs are merged

Run = list[tuple[int, Spooled]]  # sorted lines in blocks: size before compression, Zstandard frame

_CODEC = pa.Codec("zstd", compression_level=1)


def sorted_run(rejections: Iterable[Rejection], spool: Spool) -> Run:
    """Return rejections as a run: sorted, in compressed blocks, which are in the spool."""
    lines = [line for _, line in sorted((item.sort_key(), item.line()) for item in rejections)]
    blocks = (lines[start : start + BLOCK_LINES] for start in range(0, len(lines), BLOCK_LINES))
    texts = map(b"\n".join, blocks)
    return [(len(text), spool.put(_CODEC.compress(text, asbytes=True))) for text in texts]


def write_runs(config_runs: tuple[str, Iterable[Run]], output: str) -> tuple[str, int]:
    """Write the rejections of one config; return the config and the number of its rejections."""
    config, runs = config_runs
    number = 0
    with files.open_whole(files.join(output, rejected_path(config))) as file:
        block: list[bytes] = []
        for _, line in heapq.merge(*map(_keyed_lines, runs)):
            block.append(line + b"\n")
            number += 1
            if len(block) == BLOCK_LINES:
                file.write(b"".join(block))
                block.clear()
        file.write(b"".join(block))
    return config, number


def _keyed_lines(run: Run) -> Iterator[tuple[tuple[str, ...], bytes]]:
    for size, compressed in run:
        for line in _CODEC.decompress(value_of(compressed), size, asbytes=True).split(b"\n"):
            yield Rejection.from_line(line).sort_key(), line


class SortRejections(beam.DoFn):
    """Rejection -> config and sorted run: each worker's rejections, sorted config by config."""

    def __init__(self, spool: str | None = None) -> None:
        """Start without rejections.

        Args:
            spool: the folder where runs wait; None: in memory.
        """
        self._folder = spool

    def start_bundle(self) -> None:
        """Start a bundle without rejections."""
        self._spool = Spool(self._folder)
        self._waiting: dict[str, list[Rejection]] = defaultdict(list)

    def process(self, element: Rejection) -> Iterator[tuple[str, Run]]:
        """Add a rejection; yield the run of its config if the run is now full."""
        waiting = self._waiting[element.source]
        waiting.append(element)
        if len(waiting) == RUN_ITEMS:
            yield element.source, sorted_run(self._waiting.pop(element.source), self._spool)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        """Yield the runs that are not full."""
        for config, waiting in self._waiting.items():
            yield in_bundle((config, sorted_run(waiting, self._spool)))
        self._spool.close()

"""The segments of journals: files that are written once, where no file can be appended to.

Captions that go into a store, or come from several machines, are written down so. What is new about
the images of a shard is written every `SEGMENT_LINES` lines or `SEGMENT_SECONDS` seconds, and at
the shard's end. A lease of the shard keeps a second writer of it waiting, which then reads what the
first one has left. Segments never replace each other, and are merged in the order of their names:

    _state/captions/segments/recapd/train-00003-of-00010/
        000001-5a1f9c02-train-07-9f86d081884c7d65.jsonl     lines of that journal
"""

import re
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from secrets import token_hex
from types import TracebackType
from typing import Self

from pipelines.output.lock import locked_folder
from pipelines.recap.captioning.journal import Journal, set_aside
from pipelines.shards.options import ShardKey
from pipelines.storage import files
from schemas.errors import BuildError
from schemas.layout import JOURNAL_FOLDER, SEGMENT_FOLDER, segment_folder

SEGMENT_LINES = 200
SEGMENT_SECONDS = 30.0
_LEASE_PATIENCE = 600.0  # seconds to wait for another writer of the shard
_RETRY_SECONDS = 2.0
_LOOK_SECONDS = 1.0

_SEGMENT = re.compile(r"segments/([^/]+)/[^/]+/[0-9]{6}-[0-9a-f]{8}-([^/]+\.jsonl)")


class SegmentWriter:
    """The writer of what is new about the images of a shard; it bounds what a kill can lose."""

    def __init__(self, folder: str) -> None:
        """Make a writer into the folder of a shard."""
        self._folder = folder
        self._writer = token_hex(4)
        self._number = 0
        self._waiting: dict[str, list[bytes]] = defaultdict(list)  # by journal
        self._count = 0
        self._since = 0.0  # when the first of the lines came
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._clock = threading.Thread(target=self._watch, name="segments", daemon=True)

    def __enter__(self) -> Self:
        """Start the watch of the time."""
        names = (name for name, _ in files.walk(self._folder) if "/" not in name)
        numbers = (int(name.partition("-")[0]) for name in names if name[:6].isdigit())
        self._number = max(numbers, default=0)
        self._clock.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what waits."""
        self._ended.set()
        self._clock.join()
        with self._lock:
            self._write()

    def add(self, journal: str, line: bytes) -> None:
        """Take a line of a journal; many lines are written at once, before this returns."""
        with self._lock:
            self._since = self._since if self._count else time.monotonic()
            self._waiting[journal].append(line)
            self._count += 1
            if self._count >= SEGMENT_LINES:
                self._write()

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            with self._lock, suppress(OSError):  # the next try may succeed
                if self._count and time.monotonic() - self._since >= SEGMENT_SECONDS:
                    self._write()

    def _write(self) -> None:
        for journal, lines in sorted(self._waiting.items()):
            self._number += 1
            name = f"{self._number:06d}-{self._writer}-{journal}"
            files.write_whole(files.join(self._folder, name), b"".join(lines))
            del self._waiting[journal]
        self._count = 0


class SegmentedJournal(Journal):
    """A journal that reads the files that are there, and writes new lines as segments."""

    def __init__(
        self, writer: SegmentWriter, segments: dict[str, list[str]], path: str, *earlier: str
    ) -> None:
        """Make a journal that is not open yet.

        Args:
            writer: the writer of the shard's segments.
            segments: the paths of the files that hold lines of each journal, by its path.
            path: the path of the journal.
            earlier: paths of journals of an earlier program.
        """
        super().__init__(path, *earlier)
        self._writer = writer
        self._segments = segments

    def __enter__(self) -> Self:
        """Read the lines of all files, without those that cannot be read."""
        for journal in (self.path, *self.earlier):
            for path in self._segments.get(journal, ()):
                self.read_lines(files.read(path))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the lines to their writer."""

    def append(self, line: bytes) -> None:
        """Hand a line to the writer."""
        self._writer.add(self.path.rpartition("/")[2], line)


@contextmanager
def shard_journals(output: str, key: ShardKey) -> Iterator[Callable[..., Journal]]:
    """Hold the lease of a shard, and yield a function that makes its journals of their paths.

    Args:
        output: the folder of the run.
        key: the shard.

    Raises:
        BuildError: another process writes the segments of the shard, and does not end.
    """
    folder = files.join(output, segment_folder(*key))
    with _leased(folder), SegmentWriter(folder) as writer:
        yield partial(SegmentedJournal, writer, _files_by_journal(output))


@contextmanager
def _leased(folder: str) -> Iterator[None]:
    """Hold the lease of a folder, and wait while another process does."""
    until = time.monotonic() + _LEASE_PATIENCE
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(locked_folder(folder))
                break
            except BuildError:
                if time.monotonic() > until:
                    raise
            time.sleep(_RETRY_SECONDS)
        yield


def merge_segments(output: str) -> None:
    """Merge all segments of a run into its journals, and delete them.

    If this breaks off, it can be repeated. Only one process may do it at a time.
    """
    for journal, paths in _files_by_journal(output).items():
        segments = [path for path in paths if path != journal]
        if not segments:
            continue
        merged = Journal(journal)
        for path in paths:
            if damaged := merged.read_lines(files.read(path)).damaged:
                set_aside(journal, damaged)
        files.write_whole(journal, merged.content())
        files.delete(segments)  # the last one last, whose refusals count


def remove_segments(output: str) -> None:
    """Delete what a run that has ended left of its segments' folder: leases, or empty folders."""
    folder = files.join(output, SEGMENT_FOLDER)
    if files.is_local(folder):
        shutil.rmtree(folder, ignore_errors=True)
    else:
        files.delete([files.join(folder, name) for name, _ in files.walk(folder)])


def _files_by_journal(output: str) -> dict[str, list[str]]:
    """Return the paths of the files with a journal's lines, in order, by the journal's path."""
    by_journal = defaultdict(list)
    folder = files.join(output, JOURNAL_FOLDER)
    names = [name for name, _ in files.walk(folder)] if files.exists(folder) else []
    for name in sorted(names):
        segment = _SEGMENT.fullmatch(name)
        journal = files.join(segment[1], segment[2]) if segment else name
        by_journal[files.join(folder, journal)].append(files.join(folder, name))
    return {
        journal: sorted(paths, key=lambda path: (path != journal, path))
        for journal, paths in by_journal.items()
    }

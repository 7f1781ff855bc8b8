"""The thread that hashes input files while they are read, so that each is read once for both."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import PriorityQueue
from threading import Event, Semaphore, Thread

from pipelines.storage.file_digests import FileDigests, Hashing
from schemas.errors import RegionForgeError
from schemas.source import Stream

_AHEAD = 2  # pieces of a file that may wait to be hashed
_PIECES, _FILES, _END = range(3)  # which is done first


_Job = Callable[[], object]


class DigestThread:
    """A thread that computes digests."""

    def __init__(self, digests: FileDigests) -> None:
        """Take the digests that are known, and to which others are added."""
        self._digests = digests
        self._stopped = Event()
        self._order = itertools.count()
        self._jobs: PriorityQueue[tuple[int, int, _Job]] = PriorityQueue()
        self._thread = Thread(target=self._work, name="digests", daemon=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the thread beside the block, and wait until it has done all it was given.

        After an error nobody waits: a large file takes longer than the error may.
        """
        self._thread.start()
        try:
            yield
        except BaseException:
            self._stopped.set()
            raise
        finally:
            self._give(_END, self._stopped.set)
        self._thread.join()

    def hash_file(self, path: str) -> None:
        """Have the digest of a file computed, unless it is known.

        A file that cannot be read is left to `FileDigests.of`, which raises the error.
        """

        def compute() -> None:
            with suppress(RegionForgeError, OSError):
                self._digests.of(path)

        self._give(_FILES, compute)

    def hash_content(self, path: str, content: bytes) -> None:
        """Have the digest of a file computed from its whole content, unless it is known."""
        if hashing := self._digests.begin(path):
            self.hash_piece(hashing, content)
            self.end(hashing)

    def hashed(self, path: str, file: Stream) -> Stream:
        """Return an open file that is hashed while it is read, unless its digest is known."""
        hashing = self._digests.begin(path)
        return _HashedStream(file, hashing, self) if hashing else file

    def hash_piece(self, hashing: Hashing, content: bytes, then: _Job = bool) -> None:
        """Have the next bytes of a file hashed, and something done then."""

        def work() -> None:
            hashing.update(content)
            then()

        self._give(_PIECES, work)

    def end(self, hashing: Hashing) -> None:
        """Take the digest of a file, once all its bytes are hashed."""
        self._give(_PIECES, lambda: self._digests.end(hashing))

    def _give(self, turn: int, job: _Job) -> None:
        self._jobs.put((turn, next(self._order), job))

    def _work(self) -> None:
        while not self._stopped.is_set():
            _, _, job = self._jobs.get()
            job()


class _HashedStream:
    """A file that is hashed while it is read."""

    def __init__(self, file: Stream, hashing: Hashing, thread: DigestThread) -> None:
        self._file = file
        self._hashing = hashing
        self._thread = thread
        self._room = Semaphore(_AHEAD)
        self._ended = False

    def read(self, number: int, /) -> bytes:
        """Return the next bytes, at most so many; none at the end."""
        if content := self._file.read(number):
            self._room.acquire()
            self._thread.hash_piece(self._hashing, content, self._room.release)
        elif not self._ended:
            self._ended = True
            self._thread.end(self._hashing)
        return content

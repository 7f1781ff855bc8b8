"""Builds that read in so many parts, and the bytes that are read of each file."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from pipelines.preflight.quick_store import QuickStore
from pipelines.runner.launch import LaunchOptions
from pipelines.storage import files
from pipelines.storage.files import FileStore
from schemas.source import Stream

Counts = Counter[tuple[str, str]]  # by the kind of store and the path


class Parts(LaunchOptions):
    """One process that reads splits in so many parts, as so many processes would."""

    def __init__(self, number: int) -> None:
        super().__init__()
        object.__setattr__(self, "number", number)

    def parts(self) -> int:
        number: int = vars(self)["number"]
        return number


class _CountedStream:
    def __init__(self, file: Stream, count: partial[None]) -> None:
        self._file, self._count = file, count

    def read(self, number: int, /) -> bytes:
        content = self._file.read(number)
        self._count(len(content))
        return content


def count_bytes(monkeypatch: pytest.MonkeyPatch) -> Counts:
    """Counts the bytes that are read of each file: by the quick look, and by the stages."""
    counts: Counts = Counter()

    def count(store: FileStore, path: str, number: int) -> None:
        counts["look" if isinstance(store, QuickStore) else "stages", path] += number

    read, read_range, opened, fingerprint = (
        FileStore.read,
        FileStore.read_range,
        FileStore.open,
        files.fingerprint,
    )

    def counted_read(store: FileStore, path: str) -> bytes:
        content = read(store, path)
        count(store, path, len(content))
        return content

    def counted_range(store: FileStore, path: str, start: int, end: int) -> bytes:
        content = read_range(store, path, start, end)
        count(store, path, len(content))
        return content

    @contextmanager
    def counted_open(store: FileStore, path: str) -> Iterator[Stream]:
        with opened(store, path) as file:
            yield _CountedStream(file, partial(count, store, path))

    def counted_fingerprint(path: str) -> tuple[str, int]:
        digest, size = fingerprint(path)
        counts["fingerprint", path] += size
        return digest, size

    monkeypatch.setattr(FileStore, "read", counted_read)
    monkeypatch.setattr(FileStore, "read_range", counted_range)
    monkeypatch.setattr(FileStore, "open", counted_open)
    monkeypatch.setattr(files, "fingerprint", counted_fingerprint)
    return counts

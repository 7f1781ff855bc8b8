"""Spool: what waits for its group lies in files of the output, and only where it lies is grouped.

Beam's local runner holds all that it groups in memory, which grows with the data. Each bundle has
a file of its own, so no two workers write into one. The files have names of unfinished ones: those
of a killed run are deleted when its output is next written into.
"""

import io
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from pipelines.storage import files
from schemas.layout import STATE_FOLDER

FileRange = tuple[str, int, int]  # path, the first byte, the byte after the last one
Spooled = bytes | FileRange  # a value, or where it is

_NAME = f"{files.TEMPORARY}spool-"


class Spool:
    """A writer of values that wait, for one bundle."""

    def __init__(self, folder: str | None) -> None:
        """Start without a file.

        Args:
            folder: a local folder, see `spool_folder`; None: values stay in memory.
        """
        self._folder = folder
        self._path = ""
        self._file: BinaryIO | None = None
        self._end = 0

    def put(self, value: bytes) -> Spooled:
        """Return where a value is, in the file once the spool is closed."""
        if self._folder is None:
            return value
        if self._file is None:
            self._path = files.join(self._folder, f"{_NAME}{uuid.uuid4().hex}")
            self._file = io.BufferedWriter(io.FileIO(self._path, "x"))
        start, self._end = self._end, self._end + len(value)
        self._file.write(value)
        return self._path, start, self._end

    def close(self) -> None:
        """Hand everything over to the disk."""
        if self._file is not None:
            self._file.close()
            self._file = None


def value_of(spooled: Spooled) -> bytes:
    """Return a value that waited.

    Raises:
        InputFileError: its file cannot be read.
    """
    return spooled if isinstance(spooled, bytes) else files.FileStore().read_range(*spooled)


@contextmanager
def spool_folder(output: str) -> Iterator[str | None]:
    """Yield the folder for the spools of a run, and delete them at its end; None in a store."""
    if not files.is_local(output):
        yield None
        return
    folder = files.join(output, STATE_FOLDER)
    files.make_folder(folder)
    try:
        yield folder
    finally:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.name.startswith(_NAME)]
        files.delete([files.join(folder, name) for name in names])

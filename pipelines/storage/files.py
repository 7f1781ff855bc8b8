"""Access to files, which are local or in an object store: `s3://`, `gs://` or `az://`.

Stores need the extra `s3`, `gcp` or `azure`. A written file appears under its name only when all
its bytes are written. Nothing but a path of the command line or a recipe, and what lies below it,
is ever looked for in a store.
"""

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from typing import BinaryIO, Protocol

from pipelines.storage import local_files, store_files
from schemas.errors import InputFileError
from schemas.source import Stream

CHUNK_BYTES = 256 * 1024
TEMPORARY = local_files.TEMPORARY

State = tuple[int, int | str]  # size in bytes, and time of the last change in ns or ETag

_REMOTE = re.compile(r"\s*[a-zA-Z][-a-zA-Z0-9+.]*://")


class _Layer(Protocol):
    """The functions that each kind of files has."""

    def walk(self, folder: str, *, links: bool = True) -> Iterator[tuple[str, int]]: ...
    def exists(self, path: str) -> bool: ...
    def is_folder(self, path: str) -> bool: ...
    def size_of(self, path: str) -> int: ...
    def size_if_there(self, path: str) -> int | None: ...
    def state_of(self, path: str) -> State | None: ...
    def read(self, path: str) -> bytes: ...
    def read_range(self, path: str, start: int, end: int) -> bytes: ...
    def read_into(self, path: str, room: memoryview) -> int: ...
    def open_read(self, path: str) -> BinaryIO: ...
    def open_whole(self, path: str) -> AbstractContextManager[BinaryIO]: ...
    def write_whole(self, path: str, content: bytes) -> None: ...
    def delete(self, path: str) -> None: ...


def is_local(path: str) -> bool:
    """Return whether a path is local, which means that it has no scheme such as `gs://`."""
    return _REMOTE.match(path) is None


def _layer(path: str) -> _Layer:
    return local_files if is_local(path) else store_files


def check_reachable(path: str) -> None:
    """Raise `UsageError` for a remote path whose store cannot be asked."""
    if not is_local(path):
        store_files.check_reachable(path)


def join(folder: str, *names: str) -> str:
    """Return the path of a file below a folder."""
    return "/".join([folder.rstrip("/"), *names]) if names else folder


@contextmanager
def _named_errors(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputFileError(f"cannot read {path}: {error.strerror or error}") from None


class FileStore:
    """The access of sources to the files of the published data sets."""

    def read(self, path: str) -> bytes:
        """Return the content of a file, or raise `InputFileError`."""
        with _named_errors(path):
            return _layer(path).read(path)

    def read_range(self, path: str, start: int, end: int) -> bytes:
        """Return the bytes of a file from `start` to before `end`, or raise `InputFileError`."""
        with _named_errors(path):
            return _layer(path).read_range(path, start, end)

    @contextmanager
    def open(self, path: str) -> Iterator[Stream]:
        """Open a file, to read it piece by piece, or raise `InputFileError`."""
        with _named_errors(path), open_read(path) as file:
            yield file

    def sizes(self, folder: str) -> Mapping[str, int]:
        """Return the sizes in bytes of all files below a folder, by path relative to the folder."""
        return dict(walk(folder))


def walk(folder: str, *, links: bool = True) -> Iterator[tuple[str, int]]:
    """Yield the path, relative to the folder, and the size in bytes of every file below a folder.

    Args:
        folder: the path of a local or remote folder.
        links: whether to follow symbolic links to folders.

    Raises:
        InputFileError: the folder cannot be listed.
    """
    return _layer(folder).walk(folder, links=links)


def exists(path: str) -> bool:
    """Return whether a file or folder exists; a remote folder exists if it holds a file."""
    return _layer(path).exists(path)


def size_of(path: str) -> int:
    """Return the size in bytes of a file, or of all files below a folder.

    Raises:
        OSError: there is neither.
    """
    return _layer(path).size_of(path)


def size_if_there(path: str) -> int | None:
    """Return the size in bytes of a file, or None where there is no such file."""
    return _layer(path).size_if_there(path)


def state_of(path: str) -> State | None:
    """Return what changes when a file does; None for no file, or where the store has no ETags."""
    return _layer(path).state_of(path)


def subfolders(folder: str, limit: int) -> list[str]:
    """Return the paths of folders in a local folder, sorted; at most `limit` of them."""
    try:
        with os.scandir(folder) as entries:
            names = (entry.name for entry in entries if entry.is_dir())
            return sorted(join(folder, name) for name in islice(names, limit))
    except OSError:
        return []


def free_bytes(path: str) -> int | None:
    """Return the free bytes on the disk of a local path, which need not exist; None if remote."""
    if not is_local(path):
        return None
    folder = os.path.abspath(path)
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    space = os.statvfs(folder)
    return space.f_bavail * space.f_frsize


def open_read(path: str) -> BinaryIO:
    """Open a file for reading its bytes, without decompression and without a buffer."""
    return _layer(path).open_read(path)


def read(path: str) -> bytes:
    """Return the content of a file."""
    return _layer(path).read(path)


def read_into(path: str, room: memoryview) -> int:
    """Fill a buffer from the start of a file and return the number of bytes read."""
    return _layer(path).read_into(path, room)


def make_folder(path: str) -> None:
    """Make a local folder and its missing parent folders, unless it exists; stores have none."""
    if is_local(path):
        os.makedirs(path, exist_ok=True)


def open_whole(path: str) -> AbstractContextManager[BinaryIO]:
    """Open a file for writing; it appears under its name if the block raises no error."""
    return _layer(path).open_whole(path)


def write_whole(path: str, content: bytes) -> None:
    """Write the whole content of a file; the file appears only when it is complete."""
    _layer(path).write_whole(path, content)


def delete(paths: list[str]) -> None:
    """Delete the files with the given paths, and ignore files that do not exist."""
    for path in paths:
        _layer(path).delete(path)


def fingerprint(path: str) -> tuple[str, int]:
    """Return (SHA-256, size in bytes) of a file, or of a folder's listing.

    A listing is the names and sizes of all files below the folder: a changed file of the same size
    does not change the listing. The size of a folder is the sum of the sizes of its files.
    """
    if not _layer(path).is_folder(path):
        return sha256_of(path)
    listing = sorted(walk(path))
    lines = "".join(f"{name}\n{size}\n" for name, size in listing)
    # File names need not be UTF-8.
    digest = hashlib.sha256(lines.encode("utf-8", "surrogateescape"))
    return digest.hexdigest(), sum(size for _, size in listing)


def sha256_of(path: str) -> tuple[str, int]:
    """Return (SHA-256, size in bytes) of a file."""
    digest, size = hashlib.sha256(), 0
    with open_read(path) as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size

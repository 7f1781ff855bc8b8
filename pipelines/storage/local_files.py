"""Access to files of this machine.

A written file appears under its name only when all its bytes are written.
"""

import errno
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, cast

from schemas.errors import InputFileError

TEMPORARY = ".tmp-"


def walk(folder: str, *, links: bool = True) -> Iterator[tuple[str, int]]:
    """Yield the path, relative to the folder, and the size in bytes of every file below a folder.

    Args:
        folder: the path of the folder.
        links: whether to follow symbolic links to folders.
    """
    yield from _walk(folder, "", links)


def _walk(
    folder: str, below: str, links: bool, above: frozenset[tuple[int, int]] = frozenset()
) -> Iterator[tuple[str, int]]:
    try:
        status = os.stat(folder)
        here = status.st_dev, status.st_ino
        if here in above:
            return  # a link to a folder above
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_file(follow_symlinks=False):  # as nearly all are
                    if (size := _size_of(entry)) is not None:
                        yield below + entry.name, size
                elif entry.is_symlink() and not os.path.exists(entry.path):
                    continue  # a broken or circular link
                elif entry.is_dir():
                    if links or not entry.is_symlink():
                        yield from _walk(entry.path, f"{below}{entry.name}/", links, above | {here})
                elif entry.is_file():
                    yield below + entry.name, entry.stat().st_size
    except OSError as error:
        raise InputFileError(f"cannot list {folder}: {error}") from None


def _size_of(entry: os.DirEntry[str]) -> int | None:
    """Return the size in bytes of a file in a listing, or None where it was just deleted."""
    try:
        return entry.stat().st_size
    except FileNotFoundError:
        return None


def exists(path: str) -> bool:
    """Return whether a file or folder exists."""
    return os.path.exists(path)


def is_folder(path: str) -> bool:
    """Return whether a folder exists."""
    return os.path.isdir(path)


def size_of(path: str) -> int:
    """Return the size in bytes of a file, or of all files below a folder."""
    if is_folder(path):
        return sum(size for _, size in walk(path))
    return os.stat(path).st_size


def size_if_there(path: str) -> int | None:
    """Return the size in bytes of a file, or None where there is no such file."""
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):  # ValueError: a null byte
        return None


def state_of(path: str) -> tuple[int, int | str] | None:
    """Return size in bytes and time of the last change in ns of a file; None for anything else."""
    if not os.path.isfile(path):
        return None
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def open_read(path: str) -> BinaryIO:
    """Open a file for reading its bytes."""
    return cast(BinaryIO, open(path, "rb", buffering=0, opener=_open_file))


def _open_file(path: str, flags: int) -> int:
    """Open a file, but no pipe or device, which may keep its reader waiting for ever."""
    handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return handle
    os.close(handle)
    raise OSError(errno.EINVAL, "it is a pipe, a socket or a device, expected a file", path)


def read(path: str) -> bytes:
    """Return the content of a file."""
    with open_read(path) as file:
        return file.read()


def read_range(path: str, start: int, end: int) -> bytes:
    """Return the bytes of a file from `start` to before `end`; fewer where the file ends."""
    with open_read(path) as file:
        file.seek(start)
        return file.read(end - start)


def read_into(path: str, room: memoryview) -> int:
    """Fill a buffer from the start of a file and return the number of bytes read."""
    # Three calls of the operating system; a file object needs five.
    handle = os.open(path, os.O_RDONLY)
    try:
        return os.readv(handle, [room])
    finally:
        os.close(handle)


@contextmanager
def open_whole(path: str) -> Iterator[BinaryIO]:
    """Open a file for writing under a temporary name; rename it if the block raises no error."""
    folder, _, name = path.rpartition("/")
    folder = folder or ("/" if path.startswith("/") else ".")
    os.makedirs(folder, exist_ok=True)
    temporary = f"{folder.rstrip('/')}/{TEMPORARY}{name}-{uuid.uuid4().hex}"
    try:
        with open(temporary, "wb", buffering=0) as file:
            yield cast(BinaryIO, file)
        os.replace(temporary, path)
    except BaseException:
        delete(temporary)
        raise


def write_whole(path: str, content: bytes) -> None:
    """Write the whole content of a file; the file appears only when it is complete."""
    with open_whole(path) as file:
        file.write(content)


def delete(path: str) -> None:
    """Delete a file, and ignore one that does not exist."""
    with suppress(FileNotFoundError):
        os.remove(path)

"""Access to local and remote files through Beam's file systems, with faster code for local ones.

`gs://` and `s3://` paths need the extra `gcp` or `s3`. A written file appears under its name only
when all its bytes are written.
"""

import errno
import hashlib
import os
import stat
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any, BinaryIO

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from pipelines.storage.extras import require
from schemas.errors import InputFileError, UsageError

CHUNK_BYTES = 256 * 1024
TEMPORARY = ".tmp-"
DELETES_BY_PATTERN = ("gs://",)  # schemes for which Beam deletes by pattern, not by name

# Quoted as character classes. For the bracket, `re` warns of `[[]`, so the class lists all
# characters except the bracket, negated.
_QUOTED = {"*": "[*]", "?": "[?]", "[": "[!\0-Z\\-\U0010ffff]"}
_EXTRAS = {"gs": "gcp", "s3": "s3"}  # extra by scheme of a path


def is_local(path: str) -> bool:
    """Return whether a path is local, which means that it has no scheme such as `gs://`."""
    return FileSystems.get_scheme(path) is None


def check_reachable(path: str) -> None:
    """Raise `UsageError` for a path whose scheme no installed library can open."""
    scheme = FileSystems.get_scheme(path)
    if scheme in _EXTRAS:  # Beam accepts s3:// paths even without the library to open them
        require(_EXTRAS[scheme], path)
    try:
        FileSystems.get_filesystem(path)
    except ValueError:
        raise UsageError(f"{path}: nothing installed here opens {scheme}:// paths") from None


def join(folder: str, *names: str) -> str:
    """Return the path of a file below a folder."""
    return "/".join([folder.rstrip("/"), *names]) if names else folder


class FileStore:
    """The access of sources to the files of the published data sets."""

    def read(self, path: str) -> bytes:
        """Return the content of a file, or raise `InputFileError`."""
        try:
            with open_read(path) as file:
                return file.read()
        except (OSError, BeamIOError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputFileError(f"cannot read {path}: {reason}") from None

    def sizes(self, folder: str) -> Mapping[str, int]:
        """Return the sizes in bytes of all files below a folder, by path relative to the folder."""
        return dict(walk(folder))


def walk(folder: str, *, links: bool = True) -> Iterator[tuple[str, int]]:
    """Yield the path, relative to the folder, and the size in bytes of every file below a folder.

    Args:
        folder: the path of a local or remote folder.
        links: whether to follow symbolic links to folders.
    """
    if is_local(folder):
        yield from _walk(folder, "", links)
    else:
        prefix = folder.rstrip("/") + "/"
        try:
            matches = FileSystems.match([_pattern(prefix) + "**"])[0].metadata_list
        except BeamIOError as error:
            raise InputFileError(f"cannot list {folder}: {error}") from None
        for match in matches:
            if not match.path.endswith("/"):  # an entry that marks a folder
                yield match.path.removeprefix(prefix), match.size_in_bytes


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
                    yield below + entry.name, entry.stat().st_size
                elif entry.is_symlink() and not os.path.exists(entry.path):
                    continue  # a broken or circular link
                elif entry.is_dir():
                    if links or not entry.is_symlink():
                        yield from _walk(entry.path, f"{below}{entry.name}/", links, above | {here})
                elif entry.is_file():
                    yield below + entry.name, entry.stat().st_size
    except OSError as error:
        raise InputFileError(f"cannot list {folder}: {error}") from None


def exists(path: str) -> bool:
    """Return whether a file or folder exists; a remote folder exists if it holds a file."""
    return bool(FileSystems.exists(path)) or _is_folder(path)


def _is_folder(path: str) -> bool:
    if is_local(path):
        return os.path.isdir(path)
    below = _pattern(path.rstrip("/")) + "/**"
    return bool(FileSystems.match([below], limits=[1])[0].metadata_list)


def size_of(path: str) -> int:
    """Return the size in bytes of a file, or of all files below a folder."""
    if _is_folder(path):
        return sum(size for _, size in walk(path))
    if is_local(path):
        return os.stat(path).st_size
    return int(FileSystems.match([_pattern(path)])[0].metadata_list[0].size_in_bytes)


def size_if_there(path: str) -> int | None:
    """Return the size in bytes of a file, or None where there is no such file."""
    if is_local(path):
        try:
            return os.stat(path).st_size
        except (OSError, ValueError):  # ValueError: a null byte
            return None
    matches = FileSystems.match([_pattern(path)], limits=[1])[0].metadata_list
    return int(matches[0].size_in_bytes) if matches else None


def subfolders(folder: str, limit: int) -> list[str]:
    """Return the paths of folders in a local folder, sorted; at most `limit` of them."""
    try:
        with os.scandir(folder) as entries:
            names = (entry.name for entry in entries if entry.is_dir())
            return sorted(join(folder, name) for name in islice(names, limit))
    except OSError:
        return []


def _pattern(name: str) -> str:
    """Return a pattern of Beam that matches only the given name."""
    return "".join(_QUOTED.get(character, character) for character in name)


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
    """Open a file for reading its bytes, without decompression."""
    if is_local(path):
        return open(path, "rb", buffering=0, opener=_open_file)
    return FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)


def _open_file(path: str, flags: int) -> int:
    """Open a local file, but no pipe or device, which may keep its reader waiting for ever."""
    handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return handle
    os.close(handle)
    raise OSError(errno.EINVAL, "it is a pipe, a socket or a device, expected a file", path)


def read_into(path: str, room: memoryview) -> int:
    """Fill a buffer from the start of a file and return the number of bytes read."""
    if is_local(path):
        # Three calls of the operating system; a file object needs five.
        handle = os.open(path, os.O_RDONLY)
        try:
            return os.readv(handle, [room])
        finally:
            os.close(handle)
    with open_read(path) as file:
        content = file.read(len(room))
        room[: len(content)] = content
        return len(content)


def make_folder(path: str) -> None:
    """Make a folder and its missing parent folders, unless it exists."""
    if is_local(path):
        os.makedirs(path, exist_ok=True)
    elif not FileSystems.exists(path):
        FileSystems.mkdirs(path)


@contextmanager
def open_whole(path: str) -> Iterator[BinaryIO]:
    """Open a file for writing under a temporary name; rename it if the block raises no error."""
    folder, _, name = path.rpartition("/")
    folder = folder or ("/" if path.startswith("/") else ".")
    make_folder(folder)
    temporary = join(folder, f"{TEMPORARY}{name}-{uuid.uuid4().hex}")
    try:
        file: Any
        if is_local(path):
            with open(temporary, "wb", buffering=0) as file:
                yield file
            os.replace(temporary, path)
        else:
            with FileSystems.create(
                temporary, compression_type=CompressionTypes.UNCOMPRESSED
            ) as file:
                yield file
            delete([path])
            FileSystems.rename([temporary], [path])
    except BaseException:
        delete([temporary])
        raise


def write_whole(path: str, content: bytes) -> None:
    """Write the whole content of a file; the file appears only when it is complete."""
    with open_whole(path) as file:
        file.write(content)


def delete(paths: list[str]) -> None:
    """Delete the files with the given paths, and ignore files that do not exist."""
    for path in filter(is_local, paths):  # Beam would treat brackets in a name as a pattern
        with suppress(FileNotFoundError):
            os.remove(path)
    FileSystems.delete(
        [
            _pattern(path) if path.startswith(DELETES_BY_PATTERN) else path
            for path in paths
            if not is_local(path) and exists(path)
        ]
    )


def fingerprint(path: str) -> tuple[str, int]:
    """Return (SHA-256, size in bytes) of a file, or of a folder's listing.

    A listing is the names and sizes of all files below the folder: a changed file of the same size
    does not change the listing. The size of a folder is the sum of the sizes of its files.
    """
    if not _is_folder(path):
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

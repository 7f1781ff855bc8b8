"""Access to the objects of a store as files: each function takes as few requests as it can.

An object is written in one request, or in parts that one last request unites. So it appears under
its name whole or not at all, and an upload that breaks off leaves nothing there.
"""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, cast

from pipelines.storage.extras import require
from pipelines.storage.store_client import STORES, asking, client_of, key_of, scheme_of
from pipelines.storage.store_guard import check_guards
from schemas.console import notice
from schemas.errors import InputFileError, UsageError

_READ_BYTES = 16 * 1024 * 1024  # of one request
_PART_BYTES = 32 * 1024 * 1024  # of an upload; S3 takes 10,000 parts
_PATIENCE = 3.0  # seconds until a wait for a store's first answer is explained


def check_reachable(path: str) -> None:
    """Raise `UsageError` for a path whose store cannot be asked: no library, rights or bucket."""
    scheme, bucket = scheme_of(path), key_of(path).partition("/")[0]
    if scheme not in STORES:
        known = ", ".join(f"{name}://" for name in STORES)
        raise UsageError(
            f"{path}: nothing installed here opens {scheme}:// paths; known are {known}"
        )
    require(STORES[scheme].extra, path)
    if not bucket:
        raise UsageError(f"{path}: expected {scheme}://BUCKET/PATH")
    if "//" in key_of(path).rstrip("/"):
        raise UsageError(f"{path}: expected a single slash between two names")
    with _explained_wait(f"{scheme}://{bucket}"):
        try:
            if not exists(path):
                _info(f"{scheme}://{bucket}")
        except FileNotFoundError:
            raise UsageError(f"{path}: there is no bucket {bucket}") from None
        except PermissionError as error:
            raise UsageError(
                f"{path}: the store refuses: {error.strerror}. Credentials are looked for where "
                f"the tools of {scheme}:// have them; see docs/building.md"
            ) from None
        except OSError as error:
            raise UsageError(f"{path}: the store cannot be asked: {error.strerror}") from None


@contextmanager
def _explained_wait(bucket: str) -> Iterator[None]:
    text = f"waiting for {bucket}: credentials are looked for, or the store does not answer"
    timer = threading.Timer(_PATIENCE, notice, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def walk(folder: str, *, links: bool = True) -> Iterator[tuple[str, int]]:
    """Yield the path, relative to the folder, and the size in bytes of every file below a folder.

    Args:
        folder: the path of the folder.
        links: ignored; stores have no links.
    """
    below = key_of(folder).rstrip("/") + "/"
    try:
        with asking(folder):
            listing = client_of(folder).find(below, detail=True)
    except OSError as error:
        raise InputFileError(f"cannot list {folder}: {error.strerror}") from None
    for name, info in listing.items():
        # Some tools write an object that marks a folder.
        if name.startswith(below) and info["type"] == "file" and not name.endswith("/"):
            yield name.removeprefix(below), int(info["size"])


def exists(path: str) -> bool:
    """Return whether an object exists, or a folder, which is there if it holds one."""
    try:
        _info(path)
    except FileNotFoundError:
        return False
    return True


def is_folder(path: str) -> bool:
    """Return whether there are objects below a path, and none with just its name."""
    try:
        return bool(_info(path)["type"] == "directory")
    except FileNotFoundError:
        return False


def size_of(path: str) -> int:
    """Return the size in bytes of an object, or of all objects below a folder."""
    info = _info(path)
    if info["type"] == "directory":
        return sum(size for _, size in walk(path))
    return int(info["size"])


def size_if_there(path: str) -> int | None:
    """Return the size in bytes of an object, or None where there is no such object."""
    try:
        info = _info(path)
    except FileNotFoundError:
        return None
    return int(info["size"]) if info["type"] == "file" else None


def state_of(path: str) -> tuple[int, int | str] | None:
    """Return size in bytes and ETag of an object; None where there is none."""
    try:
        info = _info(path)
    except FileNotFoundError:
        return None
    etag = info.get("ETag") or info.get("etag")  # as S3 spells it, and as the others do
    return (int(info["size"]), str(etag)) if info["type"] == "file" and etag else None


def _info(path: str) -> dict[str, Any]:
    with asking(path):
        return cast(dict[str, Any], client_of(path).info(key_of(path).rstrip("/")))


def read(path: str) -> bytes:
    """Return the content of an object."""
    with asking(path):
        return cast(bytes, client_of(path).cat_file(key_of(path)))


def read_range(path: str, start: int, end: int) -> bytes:
    """Return the bytes of an object from `start` to before `end`; fewer where it ends."""
    with asking(path):
        return cast(bytes, client_of(path).cat_file(key_of(path), start=start, end=end))


def read_into(path: str, room: memoryview) -> int:
    """Fill a buffer from the start of an object and return the number of bytes read."""
    content = read(path)[: len(room)]
    room[: len(content)] = content
    return len(content)


def open_read(path: str) -> BinaryIO:
    """Open an object for reading its bytes."""
    return cast(BinaryIO, _Reader(path))


class _Reader(io.RawIOBase):
    """An object that is read from its start, some megabytes with each request."""

    def __init__(self, path: str) -> None:
        self._path = path
        size = size_if_there(path)
        if size is None:
            raise FileNotFoundError(2, "No such file or directory", path)
        self._size = size
        self._asked = 0  # bytes that were asked for
        self._block = memoryview(b"")

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, room: Any) -> int:
        """Read bytes into a buffer, and return their number; 0 at the end."""
        if not self._block and self._asked < self._size:
            end = min(self._asked + _READ_BYTES, self._size)
            with asking(self._path):
                client, key = client_of(self._path), key_of(self._path)
                self._block = memoryview(client.cat_file(key, start=self._asked, end=end))
            self._asked = end
        number = min(len(room), len(self._block))
        room[:number] = self._block[:number]
        self._block = self._block[number:]
        return number


@contextmanager
def open_whole(path: str) -> Iterator[BinaryIO]:
    """Open an object for writing; it appears if the block raises no error."""
    upload = _Upload(path)
    try:
        yield cast(BinaryIO, upload)
        upload.complete()
    except BaseException:
        upload.abort()
        raise


class _Upload(io.RawIOBase):
    """An object that is being written; what is large is uploaded in parts."""

    def __init__(self, path: str) -> None:
        self._path = path
        with asking(path):
            self._file = client_of(path).open(key_of(path), "wb", block_size=_PART_BYTES)

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Take all bytes of a buffer."""
        with asking(self._path):
            return int(self._file.write(data))

    def complete(self) -> None:
        """Have the store show the object under its name."""
        check_guards(self._path)
        with asking(self._path):
            self._file.close()

    def abort(self) -> None:
        """Have the store forget the parts; what it misses to forget, it never shows."""
        self._file.closed = True  # the library would complete the upload at the object's end
        with suppress(OSError), asking(self._path):
            self._file.discard()


def write_whole(path: str, content: bytes) -> None:
    """Write an object in one request."""
    check_guards(path)
    with asking(path):
        client_of(path).pipe_file(key_of(path), content)


def delete(path: str) -> None:
    """Delete an object, and ignore one that does not exist."""
    check_guards(path)
    with suppress(FileNotFoundError), asking(path):
        client_of(path).rm_file(key_of(path))

"""The store of the quick look: what it reads is hashed at once, and local files are looked up.

A folder holds many thousands of pictures, of which the quick look asks for some hundred; so it is
listed only where that does not do.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property

from pipelines.storage.digest_thread import DigestThread
from pipelines.storage.files import FileStore, is_local, walk
from schemas.source import Stream


class QuickStore(FileStore):
    """The access of the quick look to the files of the published data sets."""

    def __init__(self, digests: DigestThread | None = None) -> None:
        """Take what hashes the files that are read; None: they are not hashed."""
        self._digests = digests

    def read(self, path: str) -> bytes:
        """Return the content of a file, or raise `InputFileError`."""
        content = super().read(path)
        if self._digests:
            self._digests.hash_content(path, content)
        return content

    @contextmanager
    def open(self, path: str) -> Iterator[Stream]:
        """Open a file, to read it piece by piece, or raise `InputFileError`."""
        with super().open(path) as file:
            yield self._digests.hashed(path, file) if self._digests else file

    def sizes(self, folder: str) -> Mapping[str, int]:
        """Return the sizes in bytes of all files below a folder, by path relative to the folder."""
        return _LocalSizes(folder) if is_local(folder) else super().sizes(folder)


class _LocalSizes(Mapping[str, int]):
    """The sizes of the files below a local folder, which is listed for more than a look-up."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def __getitem__(self, path: str) -> int:
        if "_listed" in self.__dict__:
            return self._listed[path]
        try:
            full = os.path.join(self._folder, path)
            if path and os.path.isfile(full):
                return os.stat(full).st_size
        except (OSError, ValueError):  # ValueError: a NUL
            pass
        raise KeyError(path)

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed)

    def __len__(self) -> int:
        return len(self._listed)

    @cached_property
    def _listed(self) -> Mapping[str, int]:
        return dict(walk(self._folder))

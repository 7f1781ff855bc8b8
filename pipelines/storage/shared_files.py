"""Files that several splits share, each read once: what is read is kept for the next split."""

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager

from schemas.source import SplitInput, Store, Stream


class SharedFiles:
    """A store that keeps the content of shared files, and the listings of folders, once read."""

    def __init__(self, store: Store, splits: Iterable[SplitInput]) -> None:
        """Read nothing yet.

        Args:
            store: the store to read from.
            splits: the splits that are read, one after the other.
        """
        number = Counter(path for split in splits for path in set(split.files.values()))
        self._shared = {path for path, splits_with_it in number.items() if splits_with_it > 1}
        self._store = store
        self._contents: dict[str, bytes] = {}
        self._sizes: dict[str, Mapping[str, int]] = {}

    def read(self, path: str) -> bytes:
        """Return the content of a file, or raise `InputFileError`."""
        if path not in self._shared:
            return self._store.read(path)
        if path not in self._contents:
            self._contents[path] = self._store.read(path)
        return self._contents[path]

    def read_range(self, path: str, start: int, end: int) -> bytes:
        """Return the bytes of a file from `start` to before `end`, or raise `InputFileError`."""
        return self._store.read_range(path, start, end)

    def open(self, path: str) -> AbstractContextManager[Stream]:
        """Open a file, to read it piece by piece, or raise `InputFileError`."""
        return self._store.open(path)

    def sizes(self, folder: str) -> Mapping[str, int]:
        """Return the sizes in bytes of all files below a folder, by path relative to the folder."""
        if folder not in self._sizes:
            self._sizes[folder] = self._store.sizes(folder)
        return self._sizes[folder]

"""Files of another format that are read as COCO's: all checks and counts are those of COCO's.

    {"images": [{"id": "owl.jpg", "file_name": "owl.jpg"}],
     "annotations": [{"id": "1", "image_id": "owl.jpg", "category_id": 1, "bbox": [4, 6, 20, 10]}],
     "categories": [{"id": 1, "name": "owl"}]}                  x, y, width, height; pixels

An image without `width` and `height` has the size of its picture.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import msgspec

from pipelines.datasets.coco.layout import parse_coco_layout
from schemas.source import Entry, SplitInput, Store, Stream


@dataclass(frozen=True, slots=True)
class ReplacedFile:
    """A store in which the content of one file is replaced."""

    store: Store
    path: str
    content: bytes

    def read(self, path: str) -> bytes:
        """Return the content of a file."""
        return self.content if path == self.path else self.store.read(path)

    def read_range(self, path: str, start: int, end: int) -> bytes:
        """Return the bytes of a file from `start` to before `end`."""
        if path == self.path:
            return self.content[start:end]
        return self.store.read_range(path, start, end)

    def open(self, path: str) -> AbstractContextManager[Stream]:
        """Open a file."""
        return BytesIO(self.content) if path == self.path else self.store.open(path)

    def sizes(self, folder: str) -> Mapping[str, int]:
        """Return the size in bytes of every file below a folder, by path relative to it."""
        return self.store.sizes(folder)


def parse_converted(
    split: SplitInput, store: Store, file: Mapping[str, Sequence[Any]], label_set: str
) -> Iterator[Entry]:
    """Yield the entries of a file that was converted to COCO's layout.

    Args:
        split: the split, whose file it is.
        store: the store of the pictures.
        file: the lists `images`, `annotations` and `categories`.
        label_set: the name of the set of categories, for prompts.

    Raises:
        InputFileError: the file as a whole cannot be used.
    """
    content = msgspec.json.encode(file)
    replaced = ReplacedFile(store, split.file, content)
    yield from parse_coco_layout(split, replaced, lambda *_: split.label_set or label_set)

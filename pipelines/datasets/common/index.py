"""The index of a JSON file, made in one pass over it: where its lists of objects are, in slices.

    {"images": [{...}, ...], "annotations": [{...}, ...], "licenses": [...]}
                |--------|                   |--------|

By an index, workers read each its own slices of a file of any size.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from pipelines.datasets.common import slices
from pipelines.datasets.common.raw_items import Raw
from pipelines.datasets.common.slices import JsonStream
from schemas.errors import InputFileError
from schemas.json_decoding import decode
from schemas.source import Store

_T = TypeVar("_T")
RAWS = msgspec.json.Decoder(list[Raw])
_KEY = msgspec.json.Decoder(str)
_SMALL = 16  # the smallest file that is indexed is this part of a slice


class Part(msgspec.Struct, frozen=True, gc=False):
    """The bytes of consecutive items of a list, from `start` to before `end`."""

    start: int
    end: int
    first: int  # the number of items before it
    number: int  # of its items


class FileIndex(msgspec.Struct, frozen=True):
    """Where the members of a JSON object are in its file."""

    lists: dict[str, list[Part]]  # the wanted lists
    others: dict[str, tuple[int, int]]  # all other members: the first byte, and that after the last
    distinct: dict[str, int] = {}  # the numbers of different items, of lists that repeat some

    def number(self, name: str) -> int:
        """Return the number of items of a wanted list, without repeats if they were counted."""
        return self.distinct.get(name, sum(part.number for part in self.lists[name]))


# The indexes of files that were looked at, by their paths; None: a file must be read as a whole.
Indexes = Mapping[str, FileIndex | None]


class Reader(NamedTuple, Generic[_T]):
    """What reads a list of objects while the index is made."""

    decoder: msgspec.json.Decoder[list[_T]]
    add: Callable[[list[_T] | None], object]  # takes items; None: not all are of that type


def smallest_indexed() -> int:
    """Return the bytes of the smallest file that is indexed; a smaller one is read at once."""
    return max(1, slices.SLICE_BYTES // _SMALL)


def collector(items: list[Raw]) -> Reader[Raw]:
    """Return a reader that appends the undecoded items to a list."""
    return Reader(RAWS, lambda some: items.extend(some or ()))


SKIPPED = Reader(RAWS, lambda _: None)


def read_index(path: str, store: Store, readers: Mapping[str, Reader[Any]]) -> FileIndex | bytes:
    """Return the index of a file; its content, where it must be read as a whole.

    That is a file that is small, packed, or not sound JSON with these lists.

    Args:
        path: the path of the file.
        store: the store to read it from.
        readers: what reads the wanted lists, by their names.

    Raises:
        InputFileError: the file cannot be read.
    """
    with store.open(path) as file:
        stream = JsonStream(file)
        smallest = smallest_indexed()
        start = stream.ahead(smallest)
        if len(start) < smallest:
            return bytes(start)
        try:
            return _indexed(stream, readers)
        except msgspec.DecodeError:
            pass
    return store.read(path)


def index_of(path: str, store: Store, lists: Collection[str]) -> FileIndex | None:
    """Return the index of a file with these lists; None where it must be read as a whole.

    Raises:
        InputFileError: the file cannot be read.
    """
    index = read_index(path, store, dict.fromkeys(lists, SKIPPED))
    return None if isinstance(index, bytes) else index


@dataclass(frozen=True, slots=True)
class StoredItems:
    """The undecoded items of parts of a list, which are read anew whenever they are passed over."""

    path: str
    store: Store
    parts: Sequence[Part]

    def __len__(self) -> int:
        """Return the number of items."""
        return sum(part.number for part in self.parts)

    def __iter__(self) -> Iterator[Raw]:
        """Yield the items.

        Raises:
            InputFileError: the file cannot be read, or is no longer what it was.
        """
        for part in self.parts:
            content = self.store.read_range(self.path, part.start, part.end)
            yield from decoded_items(content, self.path)


def decoded_items(content: bytes, path: str) -> list[Raw]:
    """Return the undecoded items of a part of a list, of a file whose index was made before.

    Raises:
        InputFileError: the file is no longer what it was.
    """
    try:
        return decode(RAWS, b"[%b]" % content)
    except msgspec.DecodeError:
        raise InputFileError(
            f"{path} was changed while it was read: run the same command again"
        ) from None


def _indexed(stream: JsonStream, readers: Mapping[str, Reader[Any]]) -> FileIndex:
    """Return the index of an object.

    Raises:
        msgspec.DecodeError: it is no object, lacks a wanted list, or has a member twice.
    """
    index = FileIndex({}, {})
    stream.expect(b"{")
    while (not index.lists and not index.others) or stream.take(b","):
        name = decode(_KEY, stream.value())
        stream.expect(b":")
        if name in index.lists or name in index.others:
            raise msgspec.DecodeError(f"JSON has {name!r} twice")
        if name in readers:
            index.lists[name] = _parts(stream, readers[name])
        else:
            text = stream.value()
            index.others[name] = stream.position - len(text), stream.position
    stream.expect(b"}")
    stream.expect(b"")
    if len(index.lists) < len(readers):
        raise msgspec.DecodeError("JSON lacks a list")
    return index


def _parts(stream: JsonStream, reader: Reader[Any]) -> list[Part]:
    parts: list[Part] = []
    first = 0
    for some in stream.items(reader.decoder):
        reader.add(some.items)
        parts.append(Part(some.start, some.end, first, some.number))
        first += some.number
    return parts

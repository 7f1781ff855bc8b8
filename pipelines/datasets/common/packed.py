"""Splits whose files one worker reads: it packs the images into bins, with all that is theirs.

    opening       the files as a whole: counts, facts, refused items; and the images, undecoded
    reading       an image: its items are decoded

A data set has both as functions. Read whole, one follows the other; divided, bins lie between them:
`readers` makes of an opening what a declaration names as `parse` and `divide`.
"""

from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from dataclasses import dataclass
from types import GenericAlias
from typing import Generic, NamedTuple, TypeVar

import msgspec

from pipelines.datasets.common.bins import Division, bin_of, collected, number_of_bins
from pipelines.datasets.common.index import Indexes
from pipelines.datasets.common.raw_items import as_number
from schemas.source import Entry, SplitInput, Store

_Picture = TypeVar("_Picture", bound=msgspec.Struct)


class PackedBin(NamedTuple, Generic[_Picture]):
    """Some images of a split with their undecoded items, which are packed apart."""

    split: SplitInput
    number: int  # from 0
    kind: type[_Picture]
    read_picture: "Read[_Picture]"

    def read(self, store: Store, content: bytes, dealt: Iterable[bytes]) -> Iterator[Entry]:
        """Yield the entries of the images."""
        del dealt  # there are no slices
        for picture in msgspec.msgpack.decode(content, type=GenericAlias(list, self.kind)):
            yield from self.read_picture(self.split, store, picture)


Read = Callable[[SplitInput, Store, _Picture], Iterator[Entry]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened(Generic[_Picture]):
    """The images of a split that are read."""

    image_ids: Collection[str]
    kind: type[_Picture]  # an image with its undecoded items
    picture_of: Callable[[str], _Picture]  # returns one of them, by its id
    # Yields the entries of one; a function of a module, or a `partial`, for it goes to workers.
    read: Read[_Picture]
    size: int  # bytes of annotations, approximately


Opening = Generator[Entry, None, Opened[_Picture]]


Parse = Callable[[SplitInput, Store], Iterator[Entry]]
Divide = Callable[[SplitInput, Store, int, Indexes], Division]


def readers(open_split: Callable[[SplitInput, Store], Opening[_Picture]]) -> tuple[Parse, Divide]:
    """Return what reads a split whole, and what divides it, as a declaration names them.

    Both raise `InputFileError` where a file cannot be used.

    Args:
        open_split: opens a split: yields the entries of its files as a whole, returns its images.
    """

    def parse(split: SplitInput, store: Store) -> Iterator[Entry]:
        opened = yield from open_split(split, store)
        for image_id in opened.image_ids:
            yield from opened.read(split, store, opened.picture_of(image_id))

    def divide(split: SplitInput, store: Store, parts: int, indexes: Indexes) -> Division:
        del indexes
        entries: list[Entry] = []
        opened = collected(open_split(split, store), entries)
        return Division(entries, _bins(split, parts, opened))

    return parse, divide


def _bins(
    split: SplitInput, parts: int, opened: Opened[_Picture]
) -> Iterator[tuple[PackedBin[_Picture], bytes]]:
    bins: list[list[str]] = [[] for _ in range(number_of_bins(parts, opened.size))]
    for image_id in opened.image_ids:
        bins[bin_of(as_number(image_id), len(bins))].append(image_id)
    for number, image_ids in enumerate(bins):
        pictures = list(map(opened.picture_of, image_ids))
        some = PackedBin(split, number, opened.kind, opened.read)
        yield some, msgspec.msgpack.encode(pictures)

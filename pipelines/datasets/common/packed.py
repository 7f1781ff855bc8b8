"""Splits whose files one worker reads: it packs the images into bins, with all that is theirs.

    opening       the files as a whole: counts, facts, refused items; and the images, undecoded
    reading       an image: its items are decoded

A data set has both as functions. Read whole, one follows the other; divided, bins lie between them.
"""

from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import msgspec

from pipelines.datasets.common.bins import Division, bin_of, collected, number_of_bins
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
        for picture in msgspec.msgpack.decode(content, type=list[self.kind]):  # type: ignore[name-defined]
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


def read_whole(split: SplitInput, store: Store, opening: Opening[_Picture]) -> Iterator[Entry]:
    """Yield the entries of a split that one worker opens and reads.

    Raises:
        InputFileError: a file cannot be used.
    """
    opened = yield from opening
    for image_id in opened.image_ids:
        yield from opened.read(split, store, opened.picture_of(image_id))


def divide_packed(split: SplitInput, parts: int, opening: Opening[_Picture]) -> Division:
    """Return the division of a split that one worker opens, for a number of workers.

    Raises:
        InputFileError: a file cannot be used.
    """
    entries: list[Entry] = []
    opened = collected(opening, entries)
    return Division(entries, _bins(split, parts, opened))


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

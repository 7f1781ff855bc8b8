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


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened(Generic[_Picture]):
    """The images of a split that are read."""

    image_ids: Collection[str]
    picture_of: Callable[[str], _Picture]  # returns an image with its undecoded items, by its id
    size: int  # bytes of annotations, approximately


Opening = Generator[Entry, None, Opened[_Picture]]
# Yields the entries of one image; a function of a module, or a `partial`, for it goes to workers.
Read = Callable[[SplitInput, Store, _Picture], Iterator[Entry]]


class PackedBin(NamedTuple, Generic[_Picture]):
    """Some images of a split with their undecoded items, which are packed apart."""

    split: SplitInput
    number: int  # from 0
    kind: type[_Picture]
    read_picture: Read[_Picture]

    def read(self, store: Store, content: bytes, dealt: Iterable[bytes]) -> Iterator[Entry]:
        """Yield the entries of the images."""
        del dealt  # there are no slices
        for picture in msgspec.msgpack.decode(content, type=list[self.kind]):  # type: ignore[name-defined]
            yield from self.read_picture(self.split, store, picture)


def read_whole(
    split: SplitInput, store: Store, opening: Opening[_Picture], read: Read[_Picture]
) -> Iterator[Entry]:
    """Yield the entries of a split that one worker opens and reads.

    Raises:
        InputFileError: a file cannot be used.
    """
    opened = yield from opening
    for image_id in opened.image_ids:
        yield from read(split, store, opened.picture_of(image_id))


def divide_packed(
    split: SplitInput,
    parts: int,
    opening: Opening[_Picture],
    kind: type[_Picture],
    read: Read[_Picture],
) -> Division:
    """Return the division of a split that one worker opens.

    Args:
        split: the split.
        parts: the number of workers.
        opening: opens its files.
        kind: the type of its images.
        read: reads one of them.

    Raises:
        InputFileError: a file cannot be used.
    """
    entries: list[Entry] = []
    opened = collected(opening, entries)
    return Division(entries, _bins(split, parts, opened, kind, read))


def _bins(
    split: SplitInput,
    parts: int,
    opened: Opened[_Picture],
    kind: type[_Picture],
    read: Read[_Picture],
) -> Iterator[tuple[PackedBin[_Picture], bytes]]:
    bins: list[list[str]] = [[] for _ in range(number_of_bins(parts, opened.size))]
    for image_id in opened.image_ids:
        bins[bin_of(as_number(image_id), len(bins))].append(image_id)
    for number, image_ids in enumerate(bins):
        pictures = map(opened.picture_of, image_ids)
        yield PackedBin(split, number, kind, read), msgspec.msgpack.encode(list(pictures))

"""Bins: the images of a split in groups, each of which one worker reads with all that is theirs.

    one worker       opens the files of the split, and deals its images out into bins
    each worker      reads bins

The bin of an image follows from its id alone, so that all workers agree on it.
"""

from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar
from zlib import crc32

from pipelines.datasets.common.raw_items import ItemId
from schemas.rejection import Rejection
from schemas.source import Entry, SplitInput, Store

_BIN_BYTES = 32 * 1024 * 1024  # of annotations, approximately
_BINS_PER_WORKER = 2  # at least, so that workers end together

_Key = TypeVar("_Key", int, str, ItemId)
_Value = TypeVar("_Value")
_Opened = TypeVar("_Opened")


class Bin(Protocol):
    """Some images of a split, which one worker reads; what it holds of them waits apart from it."""

    @property
    def split(self) -> SplitInput:
        """The split."""

    @property
    def number(self) -> int:
        """The number of the bin in the split, from 0."""

    def read(self, store: Store, content: bytes, dealt: Iterable[bytes]) -> Iterator[Entry]:
        """Yield the entries of the images.

        Args:
            store: the store of the split's files.
            content: what the bin holds, as it came with the bin.
            dealt: what was dealt out to it, in any order.

        Raises:
            InputFileError: a file of the split cannot be read.
        """


class Slice(Protocol):
    """Consecutive items of a split's file, which one worker deals out into bins."""

    @property
    def split(self) -> SplitInput:
        """The split."""

    def deal_out(self, store: Store) -> Iterator[tuple[int, bytes] | Rejection]:
        """Yield the numbers of bins with what they get, and rejections.

        Raises:
            InputFileError: the file cannot be read, or is no longer what it was.
        """


class Division(NamedTuple):
    """A split that several workers read, each byte once.

    One worker divides it: by an index, whose slices others deal out, or by reading its files. Then
    there are no slices: bins hold all that is of their images, or that worker deals it out to them.
    """

    entries: Iterable[Entry]  # no images; all that is in no bin
    bins: Iterator[tuple[Bin, bytes]]  # each with what it holds
    slices: Sequence[Slice] = ()
    # The numbers of bins with what they get; to be passed over before entries and bins, which may
    # depend on it. A file that cannot be used raises `InputFileError` there.
    dealt: Iterable[tuple[int, bytes]] = ()


def read_bins(division: Division, store: Store) -> Iterator[Entry]:
    """Yield the entries of a divided split, all read by one worker.

    Raises:
        InputFileError: a file cannot be used.
    """
    dealt = defaultdict[int, list[bytes]](list)
    for number, content in division.dealt:
        dealt[number].append(content)
    yield from division.entries
    for some in division.slices:
        for result in some.deal_out(store):
            if isinstance(result, Rejection):
                yield result
            else:
                number, content = result
                dealt[number].append(content)
    for some_bin, content in division.bins:
        yield from some_bin.read(store, content, dealt.pop(some_bin.number, ()))


def number_of_bins(parts: int, size: int = 0) -> int:
    """Return the number of bins for a number of workers and of bytes of annotations."""
    return max(_BINS_PER_WORKER * parts, size // _BIN_BYTES)


def bin_of(image_id: ItemId, bins: int) -> int:
    """Return the number of the bin of an image, of so many."""
    number = image_id if isinstance(image_id, int) else crc32(image_id.encode("utf-8", "replace"))
    return number % bins


def in_bins(images: Mapping[_Key, _Value], bins: int) -> list[dict[_Key, _Value]]:
    """Return the images of each bin, by id, in the order in which they come."""
    dealt: list[dict[_Key, _Value]] = [{} for _ in range(bins)]
    for image_id, image in images.items():
        dealt[bin_of(image_id, bins)][image_id] = image
    return dealt


def collected(opening: Generator[Entry, None, _Opened], entries: list[Entry]) -> _Opened:
    """Append the entries that are yielded to a list, and return what is returned."""
    while True:
        try:
            entries.append(next(opening))
        except StopIteration as end:
            opened: _Opened = end.value
            return opened

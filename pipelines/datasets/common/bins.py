"""Bins: the images of a split in groups, each of which one worker reads with all that is theirs.

    one worker       opens the files of the split, and deals its images out into bins
    each worker      reads bins

The bin of an image follows from its id alone, so that all workers agree on it.
"""

from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar
from zlib import crc32

import msgspec

from pipelines.datasets.common.index import RAWS
from pipelines.datasets.common.raw_items import ItemId, Raw
from pipelines.datasets.common.slices import JsonStream
from pipelines.datasets.common.text_files import read_text
from schemas.rejection import Rejection
from schemas.source import Entry, SplitInput, Store

_BIN_BYTES = 32 * 1024 * 1024  # of annotations, approximately
_RECORDS = 5_000  # in a slice of a file that is read as a whole
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


class Dealer(Protocol):
    """What deals out the records of a file, a JSON list, while one worker reads it."""

    def deal_out(self, number: int, records: Sequence[Raw]) -> Iterator[tuple[int, bytes]]:
        """Yield the numbers of bins with what they get of consecutive records.

        Args:
            number: how many times it was asked before.
            records: the records, undecoded.
        """

    def decode(self, content: bytes, path: str) -> Sequence[Raw]:
        """Return the records of the whole file, undecoded.

        Raises:
            InputFileError: the content is no JSON list.
        """


class Division(NamedTuple):
    """A split that several workers read, each byte once.

    One worker divides it: by an index, whose slices others deal out, or by reading its files. Then
    there are no slices: bins hold all that is of their images, or that worker deals it out to them,
    file by file, and for all splits that share a file at once.
    """

    entries: Iterable[Entry]  # no images; all that is in no bin
    bins: Iterator[tuple[Bin, bytes]]  # each with what it holds
    slices: Sequence[Slice] = ()
    # Paths, and what deals out the records of each file; entries and bins may depend on it.
    dealers: Sequence[tuple[str, Dealer]] = ()


def read_bins(division: Division, store: Store) -> Iterator[Entry]:
    """Yield the entries of a divided split, all read by one worker.

    Raises:
        InputFileError: a file cannot be used.
    """
    dealt = defaultdict[int, list[bytes]](list)
    for path, dealer in division.dealers:
        for _, number, content in deal_out(path, store, [dealer]):
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


def deal_out(
    path: str, store: Store, dealers: Sequence[Dealer]
) -> Iterator[tuple[int, int, bytes]]:
    """Read a file once for several splits: yield the position of a dealer, a bin, what that gets.

    Raises:
        InputFileError: the file as a whole cannot be used.
    """
    for number, records in enumerate(_slices(path, store, dealers[0])):
        for position, dealer in enumerate(dealers):
            for bin_number, content in dealer.deal_out(number, records):
                yield position, bin_number, content


def _slices(path: str, store: Store, dealer: Dealer) -> Iterator[Sequence[Raw]]:
    """Yield the records of a file in slices.

    From where a file is not sound JSON, or if it is packed, it is read as a whole.
    """
    number = 0
    try:
        with store.open(path) as file:
            stream = JsonStream(file)
            for some in stream.items(RAWS):
                number += some.number
                yield some.items or ()
            stream.expect(b"")
            return
    except msgspec.DecodeError:
        pass
    records = dealer.decode(read_text(store, path), path)
    for start in range(number, len(records), _RECORDS):
        yield records[start : start + _RECORDS]


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

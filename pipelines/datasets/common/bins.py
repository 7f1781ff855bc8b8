"""Bins: the images of a split in groups, each of which one worker reads with all that is theirs.

    one worker       opens the files of the split, and deals its images out into bins
    each worker      reads bins

The bin of an image follows from its id alone, so that all workers agree on it.
"""

from collections.abc import Generator, Mapping
from typing import TypeVar

from pipelines.datasets.common.raw_items import ItemId
from schemas.source import Entry, part_of

_BIN_BYTES = 32 * 1024 * 1024  # of annotations, approximately
_BINS_PER_WORKER = 2  # at least, so that workers end together

_Key = TypeVar("_Key", int, str, ItemId)
_Value = TypeVar("_Value")
_Opened = TypeVar("_Opened")


def number_of_bins(parts: int, size: int) -> int:
    """Return the number of bins for a number of workers and of bytes of annotations."""
    return max(_BINS_PER_WORKER * parts, size // _BIN_BYTES)


def bin_of(image_id: ItemId, bins: int) -> int:
    """Return the number of the bin of an image, of so many."""
    return image_id % bins if isinstance(image_id, int) else part_of(image_id, bins)


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

"""Pieces: what waits of a bin between the stages that read, apart from where it waits."""

from typing import NamedTuple

import pyarrow as pa

from pipelines.datasets.common.bins import Bin
from pipelines.storage.spool import Spool, Spooled, value_of
from schemas.source import SplitInput

BinKey = tuple[str, str, int]  # source, split, number

_CODEC = pa.Codec("lz4")  # Zstandard takes 1.6 times as long


class Page(NamedTuple):
    """What waits of a bin: what it holds, or what a slice deals out to it."""

    content: Spooled  # a frame of LZ4
    size: int  # before compression


class Head(NamedTuple):
    """A bin, and what it holds, which waits."""

    bin: Bin
    content: Page


class Captions(NamedTuple):
    """What regions of a bin have captions, which waits."""

    content: Page


# What comes together of a bin; the last: a split that is not divided.
Piece = Head | Page | Captions | SplitInput


def key_of(split: SplitInput, number: int) -> BinKey:
    """Return the key of a bin of a split."""
    return split.source, split.split, number


def page_of(content: bytes, spool: Spool) -> Page:
    """Return a page with the content, which waits in a spool."""
    return Page(spool.put(_CODEC.compress(content, asbytes=True)), len(content))


def content_of(page: Page) -> bytes:
    """Return what waited in a page.

    Raises:
        InputFileError: the file of the spool cannot be read.
    """
    content: bytes = _CODEC.decompress(value_of(page.content), page.size, asbytes=True)
    return content

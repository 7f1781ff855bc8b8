"""Slices of a JSON list of objects: each holds whole items, and is decoded by itself.

    [{...}, {...}, {...}, {...}, {...}]
     |-----------------|  |----------|

A cut is where a list of whole items ends. JSON is read from left to right: if the text between a
cut and a later brace is a list of whole items, then that brace is no part of a text or of an item.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple, TypeVar

import msgspec
import numpy as np

from schemas.json_decoding import decode

SLICE_BYTES = 16 * 1024 * 1024  # of items, approximately
_TRIES = 20  # braces after which a cut is looked for

_CUT = re.compile(rb"\}\s*,\s*(?=\{)")
_T = TypeVar("_T")


class Span(NamedTuple):
    """The bytes from `start` to before `end`."""

    start: int
    end: int


def sliced(
    listed: msgspec.Raw, decoder: msgspec.json.Decoder[list[_T]]
) -> Iterator[tuple[Span, list[_T]]]:
    """Yield the slices of an undecoded list: the bytes in its text, and the items.

    Raises:
        msgspec.DecodeError: it is no list, or cannot be cut; or (as a subclass) items are of
            another type.
    """
    text = memoryview(listed)
    if bytes(text[:1]) != b"[":
        raise msgspec.DecodeError("JSON is no list")
    start, last = 1, len(text) - 1
    while start < last:
        end, after, items = _slice(text, start, last, decoder)
        yield Span(start, end), items
        start = after


def start_in(content: bytes, part: msgspec.Raw) -> int:
    """Return the first byte of an undecoded value in the content that it was decoded from."""
    first, whole = (np.frombuffer(text, np.uint8).ctypes.data for text in (part, content))
    return first - whole  # an undecoded value is a view of the content


def _slice(
    text: memoryview, start: int, last: int, decoder: msgspec.json.Decoder[list[_T]]
) -> tuple[int, int, list[_T]]:
    """Return the end of the slice at a byte, the start of the next one, and the slice's items."""
    cuts = _CUT.finditer(text, min(start + SLICE_BYTES, last), last)
    ends = [(cut.start() + 1, cut.end()) for cut, _ in zip(cuts, range(_TRIES), strict=False)]
    for end, after in [*ends, (last, last)] if len(ends) < _TRIES else ends:
        try:
            return end, after, decode(decoder, b"[%b]" % bytes(text[start:end]))
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            continue  # the brace belongs to a text or to an item
    raise msgspec.DecodeError("JSON cannot be cut between two items")

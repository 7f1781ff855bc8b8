"""JSON that is read from a stream, its lists of objects in slices of whole items.

    {"info": {...}, "annotations": [{...}, {...}, {...}, {...}, {...}], ...}
                                    |-----------------|  |----------|

So a file of any size is read once, and little more than a slice of it is held. A cut is where a
list of whole items ends. JSON is read from left to right: if the text between a cut and a later
brace is a list of whole items, then that brace is no part of a text or of an item.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

import msgspec

from schemas.json_decoding import decode
from schemas.source import Stream

SLICE_BYTES = 16 * 1024 * 1024  # of items, approximately
_MORE_BYTES = 256 * 1024  # in which a cut, or the end of a value, is looked for at first
_TRIES = 20  # braces after which a cut is looked for

_CUT = rb"\}\s*,\s*(?=%b)"  # before a beginning of an item
_ANY_CUT = re.compile(_CUT % rb"\{")
_BEGINNING = re.compile(rb'\{\s*"(?:[^"\\]|\\.)*"')  # of an item, with its first key
_SPACE = re.compile(rb"[ \t\n\r]+")
_AFTER = re.compile(r"trailing characters \(byte (\d+)\)")  # in the decoder's message; from 1
_RAW = msgspec.json.Decoder(msgspec.Raw)
_RAWS = msgspec.json.Decoder(list[msgspec.Raw])
_T = TypeVar("_T")


class Slice(NamedTuple, Generic[_T]):
    """Consecutive items of a list: the bytes from `start` to before `end`, and what is in them."""

    start: int
    end: int
    number: int  # of items
    items: list[_T] | None  # None: not all are of the wanted type


class JsonStream:
    """The JSON text of a file, read once from its start to its end.

    Methods raise `msgspec.DecodeError` where the text is no JSON, or cannot be cut.
    """

    def __init__(self, file: Stream) -> None:
        """Start at the first byte of a file."""
        self._file = file
        self._held = b""
        self._at = 0  # the next byte, in what is held
        self._before = 0  # bytes of the file before what is held
        self._ended = False

    @property
    def position(self) -> int:
        """The number of the next byte in the file."""
        return self._before + self._at

    def ahead(self, number: int) -> memoryview:
        """Return at least so many of the next bytes; fewer where the file ends."""
        missing = number - (len(self._held) - self._at)
        if missing > 0 and not self._ended:
            pieces = [self._held[self._at :]]
            while missing > 0 and (piece := self._file.read(missing)):
                pieces.append(piece)
                missing -= len(piece)
            self._ended = missing > 0
            self._before += self._at
            self._held, self._at = b"".join(pieces), 0
        return memoryview(self._held)[self._at :]

    def take(self, sign: bytes) -> bool:
        """Pass over white space, and over a sign of one byte if it comes next."""
        while (next_byte := self.ahead(1)[:1]) and (space := _SPACE.match(self._held, self._at)):
            self._at = space.end()
        if next_byte != sign:
            return False
        self._at += len(sign)
        return True

    def expect(self, sign: bytes) -> None:
        """Pass over a sign as `take`, which must come next."""
        if not self.take(sign):
            raise msgspec.DecodeError(f"JSON is malformed: expected {sign.decode() or 'its end'!r}")

    def value(self) -> bytes:
        """Return the text of the next value, and pass over it."""
        self.take(b"")
        number = _MORE_BYTES
        while True:
            window = self.ahead(number)
            try:
                decode(_RAW, window)
            except msgspec.DecodeError as error:
                if (end := _end_of(error)) is not None:
                    text = bytes(window[:end]).rstrip()
                    self._at += len(text)
                    return text
            if len(window) < number:
                raise msgspec.DecodeError("JSON is malformed: it ends within a value")
            number *= 4

    def items(self, decoder: msgspec.json.Decoder[list[_T]]) -> Iterator[Slice[_T]]:
        """Yield the slices of the list of objects that comes next, and pass over it."""
        self.expect(b"[")
        if self.take(b"]"):
            return
        # Most items begin alike, and unlike the objects in them.
        first = _BEGINNING.match(self.ahead(_MORE_BYTES))
        cut = re.compile(_CUT % re.escape(first[0])) if first else _ANY_CUT
        ended = False
        while not ended:
            some, length, ended = self._slice(decoder, cut)
            self._at += length
            yield some
        self.expect(b"]")

    def _slice(
        self, decoder: msgspec.json.Decoder[list[_T]], cut: re.Pattern[bytes]
    ) -> tuple[Slice[_T], int, bool]:
        """Return the next slice, the bytes up to the next one, and whether the list ends there."""
        number = SLICE_BYTES + _MORE_BYTES
        while True:
            window = self.ahead(number)
            ends = list(dict.fromkeys([*_cuts(window, cut), *_cuts(window, _ANY_CUT)]))
            for end, after in [*ends, (len(window), len(window))]:
                try:
                    count, items = _decoded(decoder, b"".join((b"[", window[:end], b"]")))
                except msgspec.DecodeError as error:
                    if (last := _end_of(error)) is not None:
                        return self._last(decoder, window[: last - 1])
                    continue  # the brace belongs to a text or to an item
                if end < len(window):
                    return Slice(self.position, self.position + end, count, items), after, False
            if len(window) < number or len(ends) >= _TRIES:
                raise msgspec.DecodeError("JSON cannot be cut between two items")
            number *= 2

    def _last(
        self, decoder: msgspec.json.Decoder[list[_T]], text: memoryview
    ) -> tuple[Slice[_T], int, bool]:
        """Return the last slice of a list, of a text that ends with the list's bracket."""
        listed = b"".join((b"[", text))
        end = listed.rindex(b"]") - 1
        count, items = _decoded(decoder, listed[: end + 2])
        return Slice(self.position, self.position + end, count, items), end, True


def _cuts(window: memoryview, cut: re.Pattern[bytes]) -> Iterator[tuple[int, int]]:
    """Yield where items may end, and where the next ones would begin."""
    matches = islice(cut.finditer(window, SLICE_BYTES), _TRIES)
    return ((match.start() + 1, match.end()) for match in matches)


def _decoded(decoder: msgspec.json.Decoder[list[_T]], listed: bytes) -> tuple[int, list[_T] | None]:
    """Return the number of items, and the items; None for these if any is of another type."""
    try:
        items = decode(decoder, listed)
    except msgspec.ValidationError:
        return len(decode(_RAWS, listed)), None
    return len(items), items


def _end_of(error: msgspec.DecodeError) -> int | None:
    """Return the bytes before what follows a whole value, by a decoder's message; None: another."""
    match = _AFTER.search(str(error))
    return int(match[1]) - 1 if match else None

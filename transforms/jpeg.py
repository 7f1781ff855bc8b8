"""A proof from a JPEG's markers alone that the file decodes, and the size of its picture.

An ordinary JPEG is walked segment by segment, without decoding a pixel:

1. Every segment is checked as far as libjpeg could refuse it: lengths, quantization tables, Huffman
   tables (their codes too), the frame header, the scan headers.
2. One vectorised pass over the compressed data finds the markers inside it.
3. The last marker must be EOI, and EOI the last two bytes of the file.

A file that passes decodes without an error, to the size returned. Nothing is proven of the pixels:
libjpeg never refuses the bytes between two markers, it fills the unreadable ones with grey. A file
that does not pass is not necessarily broken, only unusual: decode it to find out.

Sections and tables are those of ITU-T Recommendation T.81 (ISO/IEC 10918-1).
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from operator import mul
from typing import NamedTuple

import numpy as np

from schemas.limits import MAX_IMAGE_SIDE, MAX_JPEG_SCANS

SIGNATURE = b"\xff\xd8\xff"  # SOI, and the first byte of the next marker
END = b"\xff\xd9"  # EOI

_SOS = 0xDA
_RESTARTS = range(0xD0, 0xD8)
_FRAMES = (0xC0, 0xC1, 0xC2)  # table B.1: baseline, extended sequential, progressive
_NOT_FRAMES = (0xC4, 0xC8, 0xCC)  # table B.1: DHT, JPG and DAC, amid sixteen frame headers
_SEGMENT = struct.Struct(">BBH")  # B.1.1.4: 0xFF, marker code, bytes that follow (these two too)
_FRAME = struct.Struct(">BHHB")  # B.2.2: bits per sample, height, width, number of components
_CODE_SPACE = [1 << 16 - bits for bits in range(1, 17)]  # 16-bit codes per shorter code
_MAX_BLOCKS = 10  # B.2.3: in a minimum coded unit of several components


class _UnusualError(Exception):
    """A feature that ordinary JPEG files do not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The size of the stored picture by the headers of its JPEG, and whether it is plain."""

    width: int  # pixels
    height: int  # pixels
    plain: bool  # no metadata that could turn the picture, or trouble a reader of metadata


class _Component(NamedTuple):
    blocks: int  # in a minimum coded unit, A.2.3
    table: int  # its quantization table


@dataclass(slots=True)
class _Walk:
    """The tables and components that the segments read so far define."""

    width: int = 0
    height: int = 0
    plain: bool = True
    progressive: bool = False
    scans: int = 0
    complete: bool = False  # one scan held every component, so no other scan may follow
    components: dict[int, _Component] = field(default_factory=dict)
    quantization: set[int] = field(default_factory=set)
    huffman: set[int] = field(default_factory=set)  # DC tables 0x00 to 0x03, AC 0x10 to 0x13


def prove(data: bytes | memoryview) -> Frame | None:
    """Return the frame of a JPEG that is certain to decode, or None if only decoding can decide."""
    if data[:3] != SIGNATURE or data[-2:] != END:
        return None
    walk = _Walk()
    try:
        _follow(data, walk)
    except (_UnusualError, struct.error, IndexError):
        return None
    return Frame(width=walk.width, height=walk.height, plain=walk.plain)


def sample_bits(data: bytes | memoryview) -> int | None:
    """Return the bits per sample stated in the frame header, None if no frame header is reached."""
    offset = 2
    try:
        while True:
            prefix, marker, length = _SEGMENT.unpack_from(data, offset)
            if prefix != 0xFF:
                return None
            if 0xC0 <= marker <= 0xCF and marker not in _NOT_FRAMES:
                return data[offset + 4]
            offset += 2 + length
    except (struct.error, IndexError):
        return None


def most_scans(data: bytes) -> int:
    """Return a number that the scans of a JPEG do not exceed, with thumbnails and further pictures.

    In compressed data, 0xFF is never followed by the code of a scan (B.1.1.5).
    """
    return data.count(bytes((0xFF, _SOS)))


def _follow(data: bytes | memoryview, walk: _Walk) -> None:
    """Check every segment, from the first to the EOI marker that ends the file."""
    offset, last = 2, len(data) - len(END)
    next_marker: Callable[[int], int] | None = None
    while offset != last:
        prefix, marker, length = _SEGMENT.unpack_from(data, offset)
        check = _CHECKS.get(marker)
        if prefix != 0xFF or check is None:
            raise _UnusualError
        end = offset + 2 + length
        check(walk, marker, bytes(data[offset + 4 : end]))
        offset = end
        if marker == _SOS:
            _require(offset <= last)
            next_marker = next_marker or _marker_finder(data, offset)
            offset = next_marker(offset)
    _require(next_marker is not None)


def _marker_finder(data: bytes | memoryview, start: int) -> Callable[[int], int]:
    """Return a function from an offset at or after `start` to that of the next marker in `data`.

    B.1.1.2: a marker is 0xFF followed by neither 0x00 nor 0xFF. Restart markers are stepped over; a
    fill byte (0xFF before a marker) is found as well, as the unknown marker 0xFF.
    """
    tail = np.frombuffer(data, np.uint8, offset=start)
    ones = (tail[:-1] == 0xFF).view(np.uint8)
    is_marker = np.minimum(ones, tail[1:], out=ones).view(
        np.bool
    )  # an `and` without a second array

    def next_marker(offset: int) -> int:
        offset += int(is_marker[offset - start :].argmax())
        while data[offset + 1] in _RESTARTS:
            offset += 2 + int(is_marker[offset + 2 - start :].argmax())
        return offset

    return next_marker


def _require(condition: bool) -> None:
    if not condition:
        raise _UnusualError


def _check_quantization(walk: _Walk, _: int, body: bytes) -> None:
    """Check a segment of quantization tables: 64 values of 8 or 16 bits each (B.2.4.1)."""
    offset = 0
    while offset < len(body):
        precision, table = divmod(body[offset], 16)
        offset += 65 + 64 * precision
        _require(precision < 2 and table < 4 and offset <= len(body))
        walk.quantization.add(table)


def _check_huffman(walk: _Walk, _: int, body: bytes) -> None:
    walk.huffman |= _huffman_tables(body)


@lru_cache(maxsize=64)  # encoders that do not optimise write the same segments into every file
def _huffman_tables(body: bytes) -> frozenset[int]:
    """Return the identifiers of the Huffman tables that a segment defines (B.2.4.2)."""
    tables, offset = set(), 0
    while offset < len(body):
        table, counts = body[offset], body[offset + 1 : offset + 17]
        symbols = body[offset + 17 : offset + 17 + sum(counts)]
        offset += 17 + sum(counts)
        _require(table & 0xEC == 0 and offset <= len(body) and len(symbols) <= 256)
        _require(table > 3 or max(symbols, default=0) <= 15)  # F.1.2.1: a DC symbol counts bits
        _require(sum(map(mul, counts, _CODE_SPACE)) < 1 << 16)  # C.2: no code is all ones
        tables.add(table)
    return frozenset(tables)


def _check_frame(walk: _Walk, marker: int, body: bytes) -> None:
    """Check a frame header: the only one, of 8-bit samples (B.2.2)."""
    bits, walk.height, walk.width, count = _FRAME.unpack_from(body)
    _require(not walk.components and bits == 8 and len(body) == 6 + 3 * count)
    _require(0 < walk.width <= MAX_IMAGE_SIDE and 0 < walk.height <= MAX_IMAGE_SIDE)
    walk.components = _components(body[6:])
    walk.progressive = marker == 0xC2


@lru_cache(maxsize=64)
def _components(body: bytes) -> dict[int, _Component]:
    """Return 1, 3 or 4 components by identifier, sampled at whole ratios of each other (B.2.2)."""
    factors = [divmod(both, 16) for both in body[1::3]]
    _require(len(factors) in (1, 3, 4) and len(set(body[::3])) == len(factors))
    for along in zip(*factors, strict=True):  # across, then down
        highest = max(along)
        _require(min(along) > 0 and highest <= 4 and all(highest % factor == 0 for factor in along))
    return {
        identifier: _Component(across * down, table)
        for identifier, (across, down), table in zip(body[::3], factors, body[2::3], strict=True)
    }


def _check_scan(walk: _Walk, _: int, body: bytes) -> None:
    """Check a scan header: known components, each with its tables (B.2.3)."""
    walk.scans += 1
    count = body[0]
    identifiers, tables = body[1 : 1 + 2 * count : 2], body[2 : 2 + 2 * count : 2]
    _require(count > 0 and len(body) == 4 + 2 * count and not walk.complete)
    _require(walk.scans <= MAX_JPEG_SCANS)
    _require(len(set(identifiers)) == count and walk.components.keys() >= set(identifiers))
    components = [walk.components[identifier] for identifier in identifiers]
    _require(walk.quantization.issuperset([component.table for component in components]))
    _require(count == 1 or sum(component.blocks for component in components) <= _MAX_BLOCKS)
    if walk.progressive:
        _check_progression(walk, tables, *body[-3:])
        return
    _require(body[-3:] == b"\x00\x3f\x00")
    _require(walk.huffman.issuperset([both >> 4 for both in tables]))
    _require(walk.huffman.issuperset([0x10 | both & 15 for both in tables]))
    walk.complete = count == len(walk.components)


def _check_progression(walk: _Walk, tables: bytes, first: int, last: int, bits: int) -> None:
    """Check a progressive scan: DC or AC coefficients, down to a bit or of one bit (G.1.1.1)."""
    high, low = divmod(bits, 16)
    _require(low <= 13 and high in (0, low + 1))
    if first > 0:
        _require(first <= last <= 63 and len(tables) == 1)
        _require(0x10 | tables[0] & 15 in walk.huffman)
    else:
        _require(last == 0)
        _require(high > 0 or walk.huffman.issuperset([both >> 4 for both in tables]))


def _check_restart(walk: _Walk, _: int, body: bytes) -> None:
    """Check the segment of the restart interval; any interval is accepted (B.2.4.4)."""
    _require(len(body) == 2)


def _check_metadata(walk: _Walk, marker: int, body: bytes) -> None:
    """Check comments and application data; Exif or XMP is not plain (B.2.4.5, B.2.4.6)."""
    if marker == 0xE0:
        walk.plain &= len(body) >= 14
    elif marker in (0xE1, 0xED):
        walk.plain = False
    elif marker == 0xE2:
        walk.plain &= len(body) >= 14 and body.startswith(b"ICC_PROFILE\0")
    elif marker == 0xEE:
        walk.plain &= len(body) >= 12


_CHECKS: dict[int, Callable[[_Walk, int, bytes], None]] = {
    0xC4: _check_huffman,
    0xDB: _check_quantization,
    0xDD: _check_restart,
    0xFE: _check_metadata,
    _SOS: _check_scan,
    **dict.fromkeys(_FRAMES, _check_frame),
    **dict.fromkeys(range(0xE0, 0xF0), _check_metadata),
}

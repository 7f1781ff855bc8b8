"""Operators that damage any file, whatever its format: bits, cuts, splices, encodings."""

import bz2
import gzip
import lzma
from collections.abc import Callable, Sequence
from random import Random

from tests.fuzz.odd_values import JUNK

Operator = Callable[[Random, bytes, Sequence[bytes]], bytes]  # of the content, and of other files


def _flip(chance: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    changed = bytearray(content)
    for _number in range(chance.choice([1, 1, 3, 20])):
        if changed:
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut_end(chance: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _span(chance: Random, content: bytes) -> tuple[int, int]:
    start = chance.randrange(len(content) + 1)
    return start, min(len(content), start + chance.choice([1, 2, 10, 100, 1_000]))


def _cut_out(chance: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(chance, content)
    return content[:start] + content[end:]


def _repeat(chance: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(chance, content)
    return content[:end] + content[start:end] * chance.choice([1, 2, 50]) + content[end:]


def _splice(chance: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    other = chance.choice(others) if others else content[::-1]
    start, end = _span(chance, other)
    where = chance.randrange(len(content) + 1)
    return content[:where] + other[start:end] + content[where:]


def _insert(chance: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    where = chance.choice([0, len(content), chance.randrange(len(content) + 1)])
    return content[:where] + chance.choice(JUNK) * chance.choice([1, 1, 3]) + content[where:]


def _zeros(chance: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(chance, content)
    return content[:start] + bytes(end - start) + content[end:]


def _encode(chance: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    """Write text in another encoding, or with a mark of one."""
    text = content.decode("latin-1" if chance.random() < 0.2 else "utf-8", "replace")
    encoding = chance.choice(
        ["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7", "cp037", "latin-1"]
    )
    return text.encode(encoding, "replace")


def _line_ends(chance: Random, content: bytes, _: Sequence[bytes]) -> bytes:
    return content.replace(
        b"\n", chance.choice([b"\r\n", b"\r", b"\n\n", b"\x0b", b"\xc2\x85", b""])
    )


def _whole(chance: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Return a file that is something else altogether."""
    return chance.choice(
        [
            b"", b" ", b"\n", b"null", b"0", b'""', b"[]", b"{}", b"[{}]", b"[[]]", b"[null]",
            b"\x00" * 4_096,
            b"<html>404</html>", content * 2, content[::-1], b"[" * 100_000, b'{"a":' * 50_000,
            b"(" * 100_000,
            gzip.compress(content), bz2.compress(content), lzma.compress(content),
            b"PK\x03\x04" + content,
            *others,
        ]
    )  # fmt: skip


def _line(chance: Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """Drop, double, exchange or move a line."""
    lines = content.splitlines(keepends=True)
    if not lines:
        return content
    where, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(4):
        case 0:
            del lines[where]
        case 1:
            lines.insert(other, lines[where])
        case 2:
            lines[where], lines[other] = lines[other], lines[where]
        case _:
            lines[where] = chance.choice(JUNK) + b"\n"
    return b"".join(lines)


OPERATORS: dict[str, Operator] = {
    "bits flipped": _flip,
    "cut short": _cut_end,
    "cut out": _cut_out,
    "bytes repeated": _repeat,
    "spliced": _splice,
    "junk inserted": _insert,
    "zeros": _zeros,
    "other encoding": _encode,
    "line ends": _line_ends,
    "line moved": _line,
    "another file": _whole,
}

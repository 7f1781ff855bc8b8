"""Operators that damage a pickle: hostile instructions, bombs of notes, broken counts and stacks.

Every hostile pickle would make a file beside the others, if it ran; `watch` would see it, too.
"""

import io
import pickle
import pickletools
from collections.abc import Callable
from random import Random
from typing import Any

from tests.fuzz import json_faults
from tests.fuzz.odd_values import TEXTS

Operator = Callable[[Random, bytes, str], bytes]  # of the content, and of the file it would make

_ONE = b"]q\x00K\x01a"


def _hostile(chance: Random, content: bytes, made: str) -> bytes:
    """Put a call into a pickle, at its start, at its end or between two instructions."""
    command = f"touch {made}".encode()
    text = b"X" + len(command).to_bytes(4, "little") + command
    call = chance.choice(
        [
            b"cos\nsystem\n(" + text + b"tR",
            b"cposix\nsystem\n" + text + b"\x85R",
            b"(" + text + b"ios\nsystem\n",
            b"(cos\nsystem\n" + text + b"o",
            b"\x8c\x02os\x8c\x06system\x93" + text + b"\x85R",
            b"cbuiltins\nexec\n" + text + b"\x85R",
            b"cbuiltins\ngetattr\n(cos\nsystem\nU\x08__call__tR",
            b"cnumpy.core.multiarray\n_reconstruct\n(" + text + b"tR",
            b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(U\x02O8K\x00K\x01tR" + text + b"tR",
            b"ccopyreg\n_reconstructor\n(cos\n_wrap_close\nc__builtin__\nobject\nNtR",
            b"csubprocess\nPopen\n(](U\x05touch" + text + b"etR",
            b"c__builtin__\neval\n" + text + b"\x85R", b"\x82\x01", b"\x84\x01\x00\x00\x00",
            b"Pid\n", text + b"Q",
            b"c__main__\n__dict__\n", b"cos\nenviron\n", b"\x8c\x02os\x8c\x07environ\x93}b",
            b"\x81", b"\x92", b"b", b"R",
        ]
    )  # fmt: skip
    where = chance.choice([0, len(content) - 1, _boundary(chance, content)])
    return content[:where] + call + content[where:]


def _boundary(chance: Random, content: bytes) -> int:
    """Return the position of an instruction."""
    there = _positions(content)
    return chance.choice(there) if there else 0


def _positions(content: bytes) -> list[int]:
    """Return the positions of the first instructions, a few hundred at most."""
    there = []
    try:
        for _, _, position in pickletools.genops(io.BytesIO(content)):
            there.append(position or 0)
            if len(there) > 400:
                break
    except (ValueError, IndexError, OverflowError):
        pass
    return there


def _bomb(chance: Random, content: bytes, _: str) -> bytes:
    """Return a small pickle that would need much memory, time or stack."""
    doubled = b"".join(b"]q%c(" % n + b"h%c" % (n - 1) * 9 + b"e" for n in range(1, 60))
    return chance.choice(
        [
            b"\x80\x02" + _ONE + doubled + b".",
            b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
            b"(" * 100_000 + b"t" * 100_000 + b".",
            b"\x80\x02}" + b"q\x00" + b"X\x01\x00\x00\x00ah\x00s.",
            b"\x80\x02]q\x00h\x00a.",
            b"\x80\x04X\xff\xff\xff\x7fabc.", b"\x80\x04\x8d" + b"\xff" * 8 + b"abc.",
            b"\x80\x02\x8b\xff\xff\xff\x7f.",
            b"\x80\x04\x96" + b"\xff" * 7 + b"\x0f.", b"\x80\x04\x95" + b"\xff" * 8 + b"].",
            b"\x80\xff].", b"\x80\x05\x97.",
            b"I" + b"9" * 5_000 + b"\n.", b"L" + b"9" * 200_000 + b"L\n.", b"F1e999\n.",
            b"S'\\x'\n.", b"V\\u00\n.", b"S'a\n.",
            b"\x80\x02]r\xff\xff\xff\x7f.", b"]p99999999999999999999\n.",
            b"\x80\x02" + b"]q\x00" * 50_000 + b".",
            b"\x80\x02" + b"N" * 100_000 + b".", b"g5\n.", b"\x80\x02h\x05.", b"0.", b"1.", b"a.",
            b"s.", b"e.", b"t.", b".",
            b"\x80\x02](" + b"K\x01" * 200_000 + b"e.",
            b"\x80\x02}(" + b"K\x01K\x01" * 1_000 + b"u.",
            b"\x80\x02](" + b"h\x00" * 9 + b"e.", b"\x80\x04\x8f(\x8c\x01a\x90.",
            b"\x80\x02" + b"2" * 9_999 + b".",
        ]
    )  # fmt: skip


def _instruction(chance: Random, content: bytes, _: str) -> bytes:
    """Drop, double or replace one instruction."""
    there = _positions(content)
    if len(there) < 3:
        return content
    index = chance.randrange(len(there) - 1)
    start, end = there[index], there[index + 1]
    match chance.randrange(3):
        case 0:
            return content[:start] + content[end:]
        case 1:
            return content[:end] + content[start:end] * chance.choice([1, 2, 1_000]) + content[end:]
        case _:
            code = chance.choice(pickletools.opcodes).code.encode("latin-1")
            return content[:start] + code + content[start + 1 :]


def _value(chance: Random, content: bytes, _: str) -> bytes:
    """Damage the value of one of our own pickles, and pickle it again by any protocol."""
    document = pickle.loads(content, encoding="utf-8")
    json_faults.OPERATORS[chance.choice(list(json_faults.OPERATORS))](chance, document)
    return pickle.dumps(_plain(document), protocol=chance.randrange(6))


def _odd_value(chance: Random, content: bytes, _: str) -> bytes:
    """Put a value of Python into a pickle that JSON does not know."""
    document = pickle.loads(content, encoding="utf-8")
    spot = json_faults.random_spot(chance, document)
    if spot is not None:
        value = chance.choice(
            [
                {1, 2}, frozenset("a"), b"\xff\x00", bytearray(b"a"), 1j, (1, 2), 10**50, {1: 2},
                {(1,): 2}, {None: 1}, range(3), Ellipsis, {"a": document}, document,
                spot.container, *TEXTS,
            ]
        )  # fmt: skip
        spot.put(value)
    try:
        return pickle.dumps(document, protocol=chance.randrange(6))
    except UnicodeEncodeError:  # half a character, in protocol 0
        return pickle.dumps(document, protocol=4)


def _plain(value: Any) -> Any:
    """Return a value of plain types, with numbers for those that JSON alone writes."""
    if isinstance(value, json_faults.Raw):
        return str(value)[:2_000]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


LOADING = ("value", "value of Python")  # operators that load the pickle, so it must be our own

OPERATORS: dict[str, Operator] = {
    "hostile call": _hostile,
    "bomb": _bomb,
    "instruction": _instruction,
    "value": _value,
    "value of Python": _odd_value,
}

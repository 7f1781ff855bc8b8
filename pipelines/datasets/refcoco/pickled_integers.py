"""NumPy's integers in a pickle, read without running anything.

pandas hands out `numpy.int64(7)`, which a pickle of protocol 3 and later writes as a call:

    numpy.core.multiarray.scalar(numpy.dtype("i8", False, True), b"\\x07\\0\\0\\0\\0\\0\\0\\0")

followed, the first time, by the type's byte order. `pickle_check` reads these calls, of these two
objects alone and with these arguments alone, and writes the number in their stead: what is loaded
then names no object and calls none. Anything else stays refused.
"""

import re
from dataclasses import dataclass, field
from typing import Literal

SCALAR, TYPE = b"s", b"t"  # kinds of values on the stack: the two objects that are known
MAX_TEXT, MAX_ARGUMENTS = 32, 8  # bytes; values: a longer text or tuple is no part of such a call

_OBJECTS = {
    (b"numpy.core.multiarray", b"scalar"): SCALAR,
    (b"numpy._core.multiarray", b"scalar"): SCALAR,
    (b"numpy", b"dtype"): TYPE,
}
_CODE = re.compile(rb"([iu])([1248])")
_FIRST_TYPE, _MAX_TYPES = 128, 64
_Order = Literal["little", "big"]
_ORDERS: dict[bytes, _Order] = {b"<": "little", b">": "big", b"|": "little"}


@dataclass(slots=True)
class _IntegerType:
    signed: bool
    size: int  # bytes
    order: _Order = "little"


@dataclass(slots=True)
class Integers:
    """The types of integers that a pickle has named so far, each with a kind of its own."""

    _types: list[_IntegerType] = field(default_factory=list)

    @staticmethod
    def kind_of(module: bytes | None, name: bytes | None) -> bytes | None:
        """Return the kind of an object by its name; None for an object that is not known."""
        return _OBJECTS.get((module or b"", name or b""))

    def new_type(self, arguments: bytes, texts: list[bytes | None]) -> bytes | None:
        """Return the kind of the type that a call of `dtype` makes; None for any other call.

        Args:
            arguments: the kinds of the arguments.
            texts: the arguments that are short texts, with None for all others.
        """
        code = _CODE.fullmatch(texts[0] or b"") if len(arguments) == 3 else None
        if code is None or len(self._types) == _MAX_TYPES:
            return None
        self._types.append(_IntegerType(code[1] == b"i", int(code[2])))
        return bytes([_FIRST_TYPE + len(self._types) - 1])

    def set_order(self, kind: bytes, texts: list[bytes | None]) -> bool:
        """Set the byte order of a type from its state; return whether it is one."""
        known = self._type(kind)
        order = _ORDERS.get(texts[1] or b"") if len(texts) == 8 else None
        if known is None or order is None:
            return False
        known.order = order
        return True

    def number(self, arguments: bytes, texts: list[bytes | None]) -> int | None:
        """Return the number that a call of `scalar` makes; None for any other call."""
        known = self._type(arguments[:1])
        if known is None or len(arguments) != 2 or (content := texts[1]) is None:
            return None
        if len(content) != known.size:
            return None
        return int.from_bytes(content, known.order, signed=known.signed)

    def _type(self, kind: bytes) -> _IntegerType | None:
        index = kind[0] - _FIRST_TYPE if kind else -1
        return self._types[index] if 0 <= index < len(self._types) else None

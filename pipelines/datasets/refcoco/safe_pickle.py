"""Pickles of plain values, read without ever letting one run code.

A pickle is a programme for a small machine with a stack: `S'bowl'` pushes text, `(` opens a
container, `l` makes a list of what was pushed since, `p7` notes the top under a number, `g7`
pushes it again. This machine knows the instructions that build lists, tuples, dictionaries,
numbers and text, in protocols 0 (the text that Python 2 wrote) to 5. It has none that import,
call or change an object: a pickle that asks for one is refused. What a pickle can take in memory
is in proportion to its length. Format: the comments in Python's `pickletools`.
"""

import io
import struct
from collections.abc import Callable, Collection
from typing import Any, NoReturn

from pipelines.datasets.refcoco.pickled_text import byte_text, quoted_text, wide_text
from schemas.errors import InputFileError

MAX_DEPTH = 32  # of containers in containers; RefCOCO's have six
MAX_PROTOCOL = 5

Plain = None | bool | int | float | str | list[Any] | tuple[Any, ...] | dict[Any, Any]

_DOUBLE = struct.Struct(">d")
_REFUSED = {
    b"R": "REDUCE",
    b"b": "BUILD",
    b"o": "OBJ",
    b"Q": "BINPERSID",
    b"\x81": "NEWOBJ",
    b"\x82": "EXT1",
    b"\x83": "EXT2",
    b"\x84": "EXT4",
    b"\x8f": "EMPTY_SET",
    b"\x90": "ADDITEMS",
    b"\x91": "FROZENSET",
    b"\x92": "NEWOBJ_EX",
    b"\x96": "BYTEARRAY8",
    b"\x97": "NEXT_BUFFER",
    b"\x98": "READONLY_BUFFER",
}


class _Unfit(ValueError):
    """What is wrong with a pickle at the instruction that was read last."""


def loads(content: bytes, path: str) -> Plain:
    """Return the value that a pickle holds.

    Byte strings become text: read as UTF-8, or as Latin-1 where they are no UTF-8.

    Args:
        content: of the file.
        path: of the file, for the message.

    Raises:
        InputFileError: the pickle is cut short or damaged, asks for anything but plain values, or
            nests deeper than `MAX_DEPTH`; the message says where.
    """
    machine = _Machine(content)
    try:
        found = machine.run()
        _check_depth(found)
    except _Unfit as error:
        cause = str(error)
    except (ValueError, IndexError, OverflowError) as error:
        cause = f"it is damaged: {error}"
    else:
        return found
    raise InputFileError(
        f"{path} ({len(content)} bytes) is not a pickle of plain values: {cause}, at byte "
        f"{machine.at()}. Expected lists, dictionaries, numbers and text, and nothing else: a "
        "pickle that asks for more could run code. Fetch the owner's file again."
    )


def _check_depth(found: Plain) -> None:
    # By identity, so that a container that stands in many places, or in itself, counts once.
    level: Collection[Any] = [found]
    for _ in range(MAX_DEPTH + 1):
        level = {id(child): child for one in level for child in _containers_in(one)}.values()
        if not level:
            return
    raise _Unfit(f"it nests deeper than {MAX_DEPTH} levels")


def _containers_in(container: Any) -> list[Any]:
    if isinstance(container, dict):
        container = container.values()
    elif not isinstance(container, list | tuple):
        return []
    return [child for child in container if isinstance(child, list | tuple | dict)]


class _Machine:
    """Runs one pickle."""

    def __init__(self, content: bytes) -> None:
        stream = io.BytesIO(content)
        self.read = stream.read
        self.line = stream.readline
        self.at = stream.tell
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # what was on the stack when each open container began
        self.notes: dict[int, Any] = {}

    def run(self) -> Plain:
        """Return the one value on the stack where the pickle stops."""
        read, known = self.read, _INSTRUCTIONS
        while (code := read(1)) != b".":
            if code not in known:
                self._refuse(code)
            known[code](self)
        if len(self.stack) != 1 or self.below:
            raise _Unfit("it stops before all containers are closed")
        found: Plain = self.stack[0]
        return found

    def _refuse(self, code: bytes) -> NoReturn:
        if not code:
            raise _Unfit("it is cut short")
        if code in (b"c", b"i"):  # GLOBAL, INST
            words = [self.line(200).strip() for _ in range(2)]
            raise _Unfit(f"it asks for the object {b'.'.join(words)!r}")
        if code == b"\x93":  # STACK_GLOBAL
            names = [word[:200] for word in self.stack[-2:] if isinstance(word, str)]
            raise _Unfit(f"it asks for the object {'.'.join(names)!r}")
        if code == b"P":  # PERSID
            raise _Unfit(f"it asks for the persistent object {self.line(200).strip()!r}")
        if name := _REFUSED.get(code):
            raise _Unfit(f"it holds the instruction {name}, which makes or changes an object")
        raise _Unfit(f"{code!r} is no instruction")

    def take(self, size: int) -> bytes:
        """Read so many bytes."""
        taken = self.read(size)
        if len(taken) != size:
            raise _Unfit("it is cut short")
        return taken

    def number(self, size: int, *, signed: bool = False) -> int:
        """Read a whole number of so many bytes."""
        return int.from_bytes(self.take(size), "little", signed=signed)

    def sized(self, size: int) -> bytes:
        """Read as many bytes as the number of so many bytes before them says."""
        return self.take(self.number(size))

    def push(self, value: Plain) -> None:
        """Put a value on the stack."""
        self.stack.append(value)

    def open(self) -> None:
        """Begin a container."""
        self.below.append(self.stack)
        self.stack = []

    def close(self) -> list[Any]:
        """End a container and return its items."""
        if not self.below:
            raise _Unfit("a container ends that never began")
        items, self.stack = self.stack, self.below.pop()
        return items

    def last(self, count: int) -> list[Any]:
        """Take so many values off the stack."""
        if len(self.stack) < count:
            raise _Unfit("values are missing")
        values = self.stack[-count:]
        del self.stack[-count:]
        return values

    def extend(self, items: list[Any]) -> None:
        """Add items to the list on the stack."""
        self._top(list).extend(items)

    def update(self, items: list[Any]) -> None:
        """Add keys and values, in turn, to the dictionary on the stack."""
        self._top(dict).update(_dictionary(items))

    def set_item(self) -> None:
        """Add a value and, below it, its key to the dictionary below them."""
        value, key = self.stack.pop(), self.stack.pop()
        self._top(dict)[_checked_key(key)] = value

    def _top(self, kind: type) -> Any:
        found = self.stack[-1]
        if type(found) is not kind:
            raise _Unfit(f"items are added to a {type(found).__name__}, not to a {kind.__name__}")
        return found

    def fetch(self, number: int) -> None:
        """Push what was noted under a number."""
        if number not in self.notes:
            raise _Unfit(f"it fetches number {number}, which was never noted")
        self.stack.append(self.notes[number])

    def note(self, number: int) -> None:
        """Note the top of the stack under a number."""
        self.notes[number] = self.stack[-1]


def _dictionary(items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2:
        raise _Unfit("a key has no value")
    return {_checked_key(items[k]): items[k + 1] for k in range(0, len(items), 2)}


def _checked_key(key: Plain) -> Plain:
    if type(key) in (list, tuple, dict):
        raise _Unfit(f"a {type(key).__name__} is a key, expected text or a number")
    return key


def _discard(machine: _Machine) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.close()


def _protocol(machine: _Machine) -> None:
    if (found := machine.number(1)) > MAX_PROTOCOL:
        raise _Unfit(f"it is of protocol {found}, expected 0 to {MAX_PROTOCOL}")


def _note_line(machine: _Machine) -> None:
    machine.notes[int(machine.line())] = machine.stack[-1]


def _frame(machine: _Machine) -> None:
    machine.take(8)  # how many bytes belong together; reading from memory needs it not


def _integer(line: bytes) -> int | bool:
    line = line.strip()
    return line == b"01" if line in (b"00", b"01") else int(line.removesuffix(b"L"))


_INSTRUCTIONS: dict[bytes, Callable[[_Machine], None]] = {
    # Protocol 0: text.
    b"(": lambda m: m.open(),
    b"0": _discard,
    b"1": lambda m: m.close().clear(),
    b"2": lambda m: m.push(m.stack[-1]),
    b"F": lambda m: m.push(float(m.line())),
    b"I": lambda m: m.push(_integer(m.line())),
    b"L": lambda m: m.push(_integer(m.line())),
    b"N": lambda m: m.push(None),
    b"S": lambda m: m.push(quoted_text(m.line())),
    b"V": lambda m: m.push(wide_text(m.line().removesuffix(b"\n"), "raw_unicode_escape")),
    b"a": lambda m: m.extend([m.stack.pop()]),
    b"d": lambda m: m.push(_dictionary(m.close())),
    b"g": lambda m: m.fetch(int(m.line())),
    b"l": lambda m: m.push(m.close()),
    b"p": _note_line,
    b"s": lambda m: m.set_item(),
    b"t": lambda m: m.push(tuple(m.close())),
    # Protocol 1: the same in bytes.
    b")": lambda m: m.push(()),
    b"]": lambda m: m.push([]),
    b"}": lambda m: m.push({}),
    b"G": lambda m: m.push(_DOUBLE.unpack(m.take(8))[0]),
    b"J": lambda m: m.push(m.number(4, signed=True)),
    b"K": lambda m: m.push(m.number(1)),
    b"M": lambda m: m.push(m.number(2)),
    b"T": lambda m: m.push(byte_text(m.sized(4))),
    b"U": lambda m: m.push(byte_text(m.sized(1))),
    b"X": lambda m: m.push(wide_text(m.sized(4))),
    b"e": lambda m: m.extend(m.close()),
    b"h": lambda m: m.fetch(m.number(1)),
    b"j": lambda m: m.fetch(m.number(4)),
    b"q": lambda m: m.note(m.number(1)),
    b"r": lambda m: m.note(m.number(4)),
    b"u": lambda m: m.update(m.close()),
    # Protocols 2 to 5.
    b"\x80": _protocol,
    b"\x85": lambda m: m.push(tuple(m.last(1))),
    b"\x86": lambda m: m.push(tuple(m.last(2))),
    b"\x87": lambda m: m.push(tuple(m.last(3))),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"\x8a": lambda m: m.push(m.number(m.number(1), signed=True)),
    b"\x8b": lambda m: m.push(m.number(m.number(4), signed=True)),
    b"B": lambda m: m.push(byte_text(m.sized(4))),
    b"C": lambda m: m.push(byte_text(m.sized(1))),
    b"\x8c": lambda m: m.push(wide_text(m.sized(1))),
    b"\x8d": lambda m: m.push(wide_text(m.sized(8))),
    b"\x8e": lambda m: m.push(byte_text(m.sized(8))),
    b"\x94": lambda m: m.note(len(m.notes)),
    b"\x95": _frame,
}

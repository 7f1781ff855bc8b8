"""The opcodes of a pickle, checked before anything is built from them.

A pickle is a list of opcodes for a machine with a stack: `S'bowl'` pushes text, `(` pushes a mark,
`l` makes a list of the values above the mark, `p7` notes the top value under the number 7, and `g7`
pushes the noted value again. Protocol 0 is text, as in RefCOCO's files by Python 2; later protocols
are binary. The comments in Python's `pickletools` describe the whole format.

Only the opcodes of lists, tuples, dictionaries, numbers and text are allowed. Therefore:

- Nothing runs. Opcodes that call, change or import an object are not allowed (REDUCE, BUILD, OBJ,
  NEWOBJ, EXT1 ...), nor are sets, byte arrays and buffers. Opcodes that load an object by name
  (GLOBAL, INST, STACK_GLOBAL, PERSID, BINPERSID) end the check; loading then stops there and names
  the object in the error. The one exception runs nothing either: the calls that make an integer of
  NumPy are replaced by the integer (`pickled_integers`).
- Memory is proportional to the file's size. Texts and numbers lie in the file, and a note's number,
  which the loader takes for an index into an array, is less than the length of the file. To fetch
  a container copies nothing.
- Time is proportional to the size of the file. The conversion of digits takes quadratic time, so a
  number has at most `MAX_PICKLE_DIGITS`. A key is a text of at most `MAX_PICKLE_KEY` bytes, with a
  seeded hash: numbers could be chosen to have equal hashes, tuples of tuples to take long to hash,
  and long texts to take long to compare.
"""

import pickletools
import re
from collections.abc import Callable

from pipelines.datasets.refcoco import pickled_integers as numpy_integers
from pipelines.datasets.refcoco.pickle_items import items_pattern
from pipelines.datasets.refcoco.pickled_text import byte_text, quoted_text, wide_text
from schemas.limits import MAX_PICKLE_DIGITS, MAX_PICKLE_KEY

# Kinds of values on the stack: texts that may be keys, lists and dictionaries, all others.
_KEY, _CONTAINER, _OTHER, _MARK = b"k", b"c", b"o", b"("
_SINCE_MARK = -1

_PUSHED: dict[str, bytes] = {  # opcode: the kind of value that it pushes
    "MARK": _MARK,
    "PROTO": b"",
    **dict.fromkeys(("EMPTY_LIST", "EMPTY_DICT"), _CONTAINER),
    **dict.fromkeys(("NONE", "NEWTRUE", "NEWFALSE", "EMPTY_TUPLE"), _OTHER),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"), _OTHER),
}
_COMBINED = {  # opcode: how many values it pops, and the kind of value that it pushes then
    "APPEND": (1, b""),
    "APPENDS": (_SINCE_MARK, b""),
    "SETITEM": (2, b""),
    "SETITEMS": (_SINCE_MARK, b""),
    "LIST": (_SINCE_MARK, _CONTAINER),
    "DICT": (_SINCE_MARK, _CONTAINER),
    "TUPLE": (_SINCE_MARK, _OTHER),
    "TUPLE1": (1, _OTHER),
    "TUPLE2": (2, _OTHER),
    "TUPLE3": (3, _OTHER),
}
_NUMERALS = {  # opcode: the form that Python 2 writes; loading would read 010 as 8
    "INT": re.compile(rb"(?:0[01]?|-?[1-9]\d*)\r?\n"),
    "LONG": re.compile(rb"(?:0|-?[1-9]\d*)L?\n"),
    "FLOAT": re.compile(rb"-?(?:(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|inf|nan)\n"),
}
_TEXTS: dict[str, Callable[[bytes], str]] = {
    "STRING": quoted_text,
    "UNICODE": lambda line: wide_text(line.removesuffix(b"\n"), "raw_unicode_escape"),
    **dict.fromkeys(("BINSTRING", "SHORT_BINSTRING"), byte_text),
    **dict.fromkeys(("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"), byte_text),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"), wide_text),
}
_ALWAYS_REWRITTEN = {"STRING", "UNICODE", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"}
_KEYED = {"SETITEM", "SETITEMS", "DICT"}
_NOTING = {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}
_FETCHING = {"GET", "BINGET", "LONG_BINGET"}
_NAMING = {"GLOBAL", "STACK_GLOBAL"}  # end the check, unless they name an object of NumPy
_CALLING = {"REDUCE", "BUILD"}  # allowed where they make an integer of NumPy
_ENDING = {"STOP", "INST", "PERSID", "BINPERSID"}

_GLOBAL = re.compile(rb"c([a-z_.]{1,30})\n([a-z]{1,10})\n")

_NAMES = {opcode.code.encode("latin-1"): opcode.name for opcode in pickletools.opcodes}
_PLAIN = {*_PUSHED, *_COMBINED, *_NUMERALS, *_TEXTS, *_NOTING, *_FETCHING, "FRAME"}
_ALLOWED = _PLAIN | _CALLING
_SIZES = {opcode.name: opcode.arg.n if opcode.arg else 0 for opcode in pickletools.opcodes}
_COUNT_BYTES = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}


class UnfitPickle(ValueError):
    """The error for a pickle that cannot be loaded safely, with the reason."""


def checked_pickle(content: bytes) -> bytes:
    """Return a pickle of the same value that is safe to load, with all text in ASCII or UTF-8.

    Raises:
        UnfitPickle: the pickle is cut short or damaged, or holds an opcode that is not allowed;
            the message names the byte.
    """
    check = _Check(content)
    try:
        return check.run()
    except UnfitPickle as error:
        cause = str(error)
    except ValueError as error:
        cause = f"it is damaged: {error}"
    raise UnfitPickle(f"{cause}, at byte {check.position}")


class _Check:
    """The check of one pickle, on a stack that holds the kinds of the values."""

    def __init__(self, content: bytes) -> None:
        self.position = 0  # the position of the opcode
        self._content = content
        self._stack = bytearray()
        self._texts: dict[int, bytes | None] = {}  # short texts by their position on the stack
        self._notes: dict[int, bytearray] = {}  # number: kind; without notes in matched items
        self._noted: dict[int, bytes | None] = {}  # number: short text
        self._integers = numpy_integers.Integers()
        self._tuple: tuple[bytes, list[bytes | None]] | None = None  # kinds, texts; if on top
        self._parts: list[bytes] = []  # the parts of the pickle to load
        self._copied = 0  # the number of bytes already copied to the parts
        self._binary = content.startswith(b"\x80")
        self._items = None if self._binary else items_pattern(max(1, len(str(len(content))) - 1))

    def run(self) -> bytes:
        """Return a pickle of the same value that is safe to load."""
        while True:
            if self._items and (items := self._items.match(self._content, self.position)):
                self.position = items.end()
            code = self._content[self.position : self.position + 1]
            name = _NAMES.get(code, "")
            if name in _ENDING or (name in _NAMING and not self._named(name)):
                break
            if name in _NAMING:
                continue
            if name not in _ALLOWED:
                raise UnfitPickle(_cause(code, name))
            start, end = self._argument(name)
            self._step(name, start, end)
            self.position = end
        if name == "STOP" and self._stack not in (_KEY, _CONTAINER, _OTHER):
            raise UnfitPickle("it stops before all containers are closed")
        return b"".join([*self._parts, self._content[self._copied :]])

    def _argument(self, name: str) -> tuple[int, int]:
        """Return the start and end of an opcode's argument, without a size field in front of it."""
        size = _SIZES[name]
        start = self.position + 1
        end = start + size
        if size == pickletools.UP_TO_NEWLINE:
            end = self._content.find(b"\n", start) + 1 or len(self._content) + 1
        elif size < 0:
            start += _COUNT_BYTES[size]
            end = start + int.from_bytes(self._content[self.position + 1 : start], "little")
        if end > len(self._content):
            raise UnfitPickle("it is cut short")
        return start, end

    def _named(self, name: str) -> bool:
        """Take an object of NumPy that is known; return whether it is one."""
        popped, end = 2, self.position + 1
        names: list[bytes | None] = self._top_texts(popped)
        if name == "GLOBAL":
            match = _GLOBAL.match(self._content, self.position)
            names, popped, end = ([*match.groups()], 0, match.end()) if match else ([], 0, end)
        kind = self._integers.kind_of(*names) if self._binary and len(names) == 2 else None
        if kind is None:
            return False
        self._put_instead(b"0" * popped + b"N", popped, kind, end)
        self.position = end
        return True

    def _make_integer(self, name: str, end: int) -> None:
        """Take a step of making an integer of NumPy from the object and the tuple on the stack."""
        made, known = self._tuple or (b"", []), bytes(self._stack[-2:-1])
        if name == "BUILD" and self._integers.set_order(known, made[1]):
            self._put_instead(b"0", 2, known, end)  # the type stays, without its state
        elif (
            name == "REDUCE"
            and known == numpy_integers.TYPE
            and (kind := self._integers.new_type(*made))
        ):
            self._put_instead(b"00N", 2, kind, end)
        elif (
            name == "REDUCE"
            and known == numpy_integers.SCALAR
            and (number := self._integers.number(*made)) is not None
        ):
            digits = number.to_bytes(9, "little", signed=True)
            self._put_instead(b"00\x8a\x09" + digits, 2, _OTHER, end)
        else:
            raise UnfitPickle(_cause(name.encode(), name))

    def _put_instead(self, opcodes: bytes, popped: int, kind: bytes, end: int) -> None:
        """Replace an opcode by others, which pop values and push one of a kind."""
        self._replace(opcodes, end)
        del self._stack[len(self._stack) - popped :]
        self._stack += kind

    def _top_texts(self, number: int) -> list[bytes | None]:
        """Return the short texts among the top values of the stack, with None for all others."""
        top = range(max(0, len(self._stack) - number), len(self._stack))
        keys = (self._stack[index : index + 1] == _KEY for index in top)
        return [self._texts.get(i) if key else None for i, key in zip(top, keys, strict=True)]

    def _step(self, name: str, start: int, end: int) -> None:
        if name in _CALLING:
            self._make_integer(name, end)
        elif name in _NOTING:
            self._note(self._number(name, start, end))
        else:
            self._tuple = None
            self._take_value(name, start, end)

    def _take_value(self, name: str, start: int, end: int) -> None:
        if name in _PUSHED:
            self._stack += _PUSHED[name]
        elif name in _NUMERALS:
            self._push_numeral(name, start, end)
        elif name in _TEXTS:
            self._push_text(name, start, end)
        elif name in _FETCHING:
            number = self._number(name, start, end)
            self._texts[len(self._stack)] = self._noted.get(number)
            self._stack += self._notes.get(number, _KEY)
        elif name in _COMBINED:
            self._combine(name)
        else:  # FRAME: the number of bytes of a frame, which rewritten texts would make wrong
            self._replace(b"", end)

    def _push_numeral(self, name: str, start: int, end: int) -> None:
        self._check_digits(start, end)
        if not _NUMERALS[name].fullmatch(self._content, start, end):
            raise UnfitPickle(f"{self._content[start:end]!r} is not a number")
        self._stack += _OTHER

    def _push_text(self, name: str, start: int, end: int) -> None:
        text = self._content[start:end]
        self._texts[len(self._stack)] = text if len(text) <= numpy_integers.MAX_TEXT else None
        self._stack += _KEY if len(text) <= MAX_PICKLE_KEY else _OTHER
        if name in _ALWAYS_REWRITTEN or not text.isascii():
            encoded = _TEXTS[name](text).encode()
            self._replace(b"\x8d" + len(encoded).to_bytes(8, "little") + encoded, end)

    def _replace(self, opcode: bytes, end: int) -> None:
        self._parts += [self._content[self._copied : self.position], opcode]
        self._copied = end

    def _number(self, name: str, start: int, end: int) -> int:
        """Return the number of the note that an opcode writes or fetches."""
        if name == "MEMOIZE":
            if not self._binary:  # the notes in matched items are not counted
                raise UnfitPickle("it holds the instruction MEMOIZE without naming a protocol")
            return len(self._notes)
        argument = self._content[start:end]
        if _SIZES[name] > 0:
            return int.from_bytes(argument, "little")
        self._check_digits(start, end)
        return int(argument)

    def _check_digits(self, start: int, end: int) -> None:
        if end - start > MAX_PICKLE_DIGITS:
            raise UnfitPickle(f"a number is longer than {MAX_PICKLE_DIGITS} digits")

    def _note(self, number: int) -> None:
        if not 0 <= number < len(self._content):
            raise UnfitPickle(f"it notes a value under the number {number}, which is too large")
        self._notes[number] = kind = self._stack[-1:]
        self._noted[number] = self._texts.get(len(self._stack) - 1) if kind == _KEY else None
        if kind == _OTHER:  # an item matched as a whole could fetch this value as a key
            self._items = None

    def _combine(self, name: str) -> None:
        pops, pushed = _COMBINED[name]
        first = self._stack.rfind(_MARK) if pops == _SINCE_MARK else len(self._stack) - pops
        if first < 0:
            raise UnfitPickle(f"the instruction {name} lacks values")
        popped = self._stack[first:].removeprefix(_MARK)
        if name != "TUPLE2" and popped.translate(None, _KEY + _CONTAINER + _OTHER + _MARK):
            raise UnfitPickle("it holds an object of NumPy that is no number")
        if name.startswith("TUPLE") and len(popped) <= numpy_integers.MAX_ARGUMENTS:
            self._tuple = bytes(popped), self._top_texts(len(popped))
        if name in _KEYED and popped[::2].strip(_KEY):
            raise UnfitPickle(f"a key is not a text of at most {MAX_PICKLE_KEY} bytes")
        self._stack[first:] = pushed


def _cause(code: bytes, name: str) -> str:
    """Return the message about an opcode that is not allowed."""
    if not code:
        return "it is cut short"
    if not name:
        return f"{code!r} is no instruction"
    return f"it holds the instruction {name}, which plain values do not need"

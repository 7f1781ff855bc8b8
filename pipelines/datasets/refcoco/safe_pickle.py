"""The loading of pickles of plain values, without running any code in them.

A pickle is a programme that the standard library's `Unpickler` runs. Two checks prevent a pickle
from doing more than build lists, tuples, dictionaries, numbers and text:

1. `pickle_check` reads all opcodes before anything is built, and stops at the first one that does
   not belong to plain values. The module states which opcodes those are, and why the time and the
   memory that they take are proportional to the length of the file.
2. The `Unpickler` here looks up no class, no function and no persistent object: it refuses any such
   object, with an error that names it.

The value that is loaded then must not nest deeper than `MAX_PICKLE_DEPTH` containers: lists may
hold themselves, and a recursion through the value must end.
"""

import io
import pickle
from collections.abc import Collection, Iterable
from itertools import chain
from typing import Any, NoReturn

from pipelines.datasets.refcoco.pickle_check import UnfitPickle, checked_pickle
from schemas.errors import InputFileError
from schemas.limits import MAX_PICKLE_DEPTH

_BUFFER_BYTES = 1 << 17  # the number of bytes that `Unpickler` reads ahead

Plain = None | bool | int | float | str | list[Any] | tuple[Any, ...] | dict[str, Any]


def loads(content: bytes, path: str) -> Plain:
    """Return the value that a pickle holds: `(lp0\\nS'left'\\np1\\na.` gives `["left"]`.

    Byte strings become text: read as UTF-8, or as Latin-1 where they are not UTF-8.

    Args:
        content: the content of the file.
        path: the path of the file, for the message.

    Raises:
        InputFileError: the pickle is cut short or damaged, holds more than plain values, has
            a key that is not a short text, or nests deeper than `MAX_PICKLE_DEPTH`.
    """
    try:
        value = _load(checked_pickle(content))
        _check_depth(value)
    except UnfitPickle as error:
        raise InputFileError(
            f"{path} ({len(content)} bytes) is not a pickle of plain values: {error}. Expected "
            "lists, dictionaries, numbers and text, and nothing else: a pickle that asks for more "
            "could run code. Fetch the owner's file again."
        ) from error
    return value


class _PlainUnpickler(pickle.Unpickler):
    """An unpickler that refuses every class, function and persistent object."""

    def find_class(self, module_name: str, global_name: str, /) -> NoReturn:
        """Refuse the class or function that a pickle names."""
        raise UnfitPickle(f"it asks for the object {f'{module_name}.{global_name}'[:200]!r}")

    def persistent_load(self, pid: object) -> NoReturn:
        """Refuse the object outside the pickle that a pickle refers to."""
        name = pid[:200] if isinstance(pid, str) else type(pid)  # a container may be endless
        raise UnfitPickle(f"it asks for the persistent object {name!r}")


def _load(content: bytes) -> Plain:
    file = io.BufferedReader(io.BytesIO(content), _BUFFER_BYTES)
    try:
        value: Plain = _PlainUnpickler(file, fix_imports=False).load()
    except UnfitPickle:
        raise
    except (
        pickle.UnpicklingError,
        ArithmeticError,
        AttributeError,
        EOFError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        raise UnfitPickle(f"it is damaged: {error}") from error
    return value


def _check_depth(value: Plain) -> None:
    level = _containers([value])
    for _ in range(MAX_PICKLE_DEPTH):
        items = (item.values() if type(item) is dict else item for item in level)
        level = _containers(chain.from_iterable(items))
        if not level:
            return
    raise UnfitPickle(f"it nests deeper than {MAX_PICKLE_DEPTH} levels")


def _containers(values: Iterable[Any]) -> Collection[Any]:
    # By identity, so that a container that occurs many times, or in itself, counts once.
    return {id(value): value for value in values if type(value) in (list, tuple, dict)}.values()

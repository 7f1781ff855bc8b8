"""Files of JSON lines: reading a whole file, one line, and writing a file that appears complete."""

import os
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

from schemas.errors import InputFileError

_BREAKS = {"\u0085": b"\\u0085", "\u2028": b"\\u2028", "\u2029": b"\\u2029"}


def read_file(path: str | Path) -> bytes:
    """Return the content of a file.

    Raises:
        InputFileError: the file cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputFileError(f"cannot read {path}: {error.strerror or error}") from None


def encode_line(value: object) -> bytes:
    r"""Return a value as a line of JSON, with the line feed that ends it.

    >>> encode_line({"answer": "two\nlines"})
    b'{"answer":"two\\nlines"}\n'

    Raises:
        ValueError: a text is not Unicode.
    """
    line = msgspec.json.encode(value)
    for character, escape in _BREAKS.items():  # some readers take them for ends of lines
        line = line.replace(character.encode(), escape)
    return line + b"\n"


def write_file(path: str | Path, lines: Iterable[bytes]) -> None:
    """Write a file under a temporary name beside its own; rename it when it is complete."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".tmp-{path.name}-{uuid.uuid4().hex}")
    try:
        with open(temporary, "wb") as file:
            file.writelines(lines)
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.remove(temporary)
        raise

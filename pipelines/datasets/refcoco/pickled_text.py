"""The decoding of text in pickles: byte strings and wide strings, of Python 2 and Python 3."""

import re

_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"\\": b"\\", b"'": b"'", b'"': b'"'}


def quoted_text(line: bytes) -> str:
    """Return the text of a byte string in Python 2's notation, with quotes and escapes.

    Raises:
        ValueError: the string has no quotes around it.
    """
    line = line.strip()
    if len(line) < 2 or line[0] != line[-1] or line[0] not in b"'\"":
        raise ValueError(f"text without quotes: {line[:100]!r}")
    text = line[1:-1]
    return byte_text(_ESCAPE.sub(_unescaped, text) if b"\\" in text else text)


def byte_text(text: bytes) -> str:
    """Return the text of a byte string of unknown encoding: UTF-8, or else Latin-1."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def wide_text(text: bytes, encoding: str = "utf-8") -> str:
    """Return the text of a wide string.

    Narrow builds of Python 2 wrote a character beyond the first 65,536 as two surrogates, which are
    joined here. A lone surrogate becomes a replacement character.
    """
    decoded = text.decode(encoding, "surrogatepass" if encoding == "utf-8" else "strict")
    if decoded.isascii():
        return decoded
    return decoded.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _unescaped(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex(match[1].decode()) if match[1] else _ESCAPED.get(match[2], match[0])

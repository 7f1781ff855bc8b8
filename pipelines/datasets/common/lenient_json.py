"""The decoding of JSON from Python's `json` module, which may write invalid JSON.

That module writes NaN as a bare word, and half a surrogate pair as an escape:

    {"bbox": [NaN, 1, 2, 3], "name": "\\ud83d"}

NaN is read as null and half a pair as a replacement character, then checked like other values. What
is nested so deep that no decoder follows is read as null, too: it costs the item that holds it, and
no other.
"""

import re
from typing import TypeVar

import msgspec

from schemas.errors import InputFileError
from schemas.limits import MAX_JSON_DEPTH

_T = TypeVar("_T")

_WORD = re.compile(rb'"(?:[^"\\]|\\.)*"|-?(?:NaN|Infinity)\b')
_HIGH, _LOW = rb"\\u[dD][89abAB][0-9a-fA-F]{2}", rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_NESTING = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)
_SURROGATE = re.compile(rb"(\\\\|%b%b)|%b|%b" % (_HIGH, _LOW, _HIGH, _LOW))


def decode_json(decoder: msgspec.json.Decoder[_T], content: bytes | msgspec.Raw) -> _T:
    """Return the decoded content, with NaN and lone surrogates replaced.

    Raises:
        msgspec.DecodeError: the content is still no JSON, or (as a subclass) of another type.
    """
    try:
        return _decode(decoder, content)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return _decode(decoder, _WORD.sub(_as_json, bytes(content)))


def decode_whole(
    decoder: msgspec.json.Decoder[_T], content: bytes, path: str, what: str, expected: str
) -> _T:
    """Return the decoded content of a file that must be read as a whole.

    Args:
        decoder: the decoder of its type.
        content: the bytes of the file.
        path: the path of the file, for the message.
        what: the words for what it should be, e.g. "a whole file of Visual Genome".
        expected: sentences on what was expected, and on the remedy.

    Raises:
        InputFileError: the content is no JSON, or of another type.
    """
    try:
        return decode_json(decoder, content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InputFileError(
            f"{path} ({len(content)} bytes) is not {what}: {error}. {expected}"
        ) from None


def _decode(decoder: msgspec.json.Decoder[_T], content: bytes | msgspec.Raw) -> _T:
    try:
        return decoder.decode(content)
    except RecursionError:
        return decoder.decode(without_deep_values(bytes(content)))


def without_deep_values(content: bytes) -> bytes:
    """Return JSON with null in place of values that are nested more than `MAX_JSON_DEPTH` deep.

    Raises:
        msgspec.DecodeError: its brackets do not match in number.
    """
    kept, begin, depth = [], 0, 0
    for token in _NESTING.finditer(content):
        if (bracket := token[0]) in (b"[", b"{"):
            depth += 1
            if depth == MAX_JSON_DEPTH + 1:
                kept.append(content[begin : token.start()] + b"null")
        elif bracket in (b"]", b"}"):
            if depth == MAX_JSON_DEPTH + 1:
                begin = token.end()
            depth -= 1
    if depth > MAX_JSON_DEPTH:
        raise msgspec.DecodeError("JSON is malformed: it ends within a list or an object")
    return b"".join([*kept, content[begin:]])


def _as_json(match: re.Match[bytes]) -> bytes:
    if not match[0].startswith(b'"'):
        return b"null"
    return _SURROGATE.sub(lambda escape: escape[1] or rb"\ufffd", match[0])

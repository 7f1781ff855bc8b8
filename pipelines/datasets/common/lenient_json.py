"""JSON as Python's own `json` module writes it, which is not always JSON.

It writes NaN as a bare word, and half a surrogate pair as an escape. Where a file holds them they
are read as null and as a replacement character, and judged like any other value.
"""

import re
from typing import TypeVar

import msgspec

T = TypeVar("T")

_WORD = re.compile(rb'"(?:[^"\\]|\\.)*"|-?(?:NaN|Infinity)\b')
_HIGH, _LOW = rb"\\u[dD][89abAB][0-9a-fA-F]{2}", rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_SURROGATE = re.compile(rb"(\\\\|%b%b)|%b|%b" % (_HIGH, _LOW, _HIGH, _LOW))


def decode_json(decoder: msgspec.json.Decoder[T], content: bytes | msgspec.Raw) -> T:
    """Return what the decoder makes of the content.

    Raises:
        msgspec.DecodeError: it is no JSON even so, or (a subclass) not what the decoder expects.
    """
    try:
        return decoder.decode(content)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return decoder.decode(_WORD.sub(_as_json, bytes(content)))


def _as_json(found: re.Match[bytes]) -> bytes:
    if not found[0].startswith(b'"'):
        return b"null"
    return _SURROGATE.sub(lambda escape: escape[1] or rb"\ufffd", found[0])

"""The decoding of JSON from Python's `json` module, which may write invalid JSON.

That module writes NaN as a bare word, and half a surrogate pair as an escape:

    {"bbox": [NaN, 1, 2, 3], "name": "\\ud83d"}

NaN is read as null and half a pair as a replacement character, then checked like other values.
"""

import re
from typing import TypeVar

import msgspec

_T = TypeVar("_T")

_WORD = re.compile(rb'"(?:[^"\\]|\\.)*"|-?(?:NaN|Infinity)\b')
_HIGH, _LOW = rb"\\u[dD][89abAB][0-9a-fA-F]{2}", rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_SURROGATE = re.compile(rb"(\\\\|%b%b)|%b|%b" % (_HIGH, _LOW, _HIGH, _LOW))


def decode_json(decoder: msgspec.json.Decoder[_T], content: bytes | msgspec.Raw) -> _T:
    """Return the decoded content, with NaN and lone surrogates replaced.

    Raises:
        msgspec.DecodeError: the content is still no JSON, or (as a subclass) of another type.
    """
    try:
        return decoder.decode(content)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return decoder.decode(_WORD.sub(_as_json, bytes(content)))


def _as_json(match: re.Match[bytes]) -> bytes:
    if not match[0].startswith(b'"'):
        return b"null"
    return _SURROGATE.sub(lambda escape: escape[1] or rb"\ufffd", match[0])

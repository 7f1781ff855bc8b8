"""The decoding of JSON that is not ours: whatever is wrong with it, one kind of error says so.

By themselves the decoders raise three: for a syntax, for text that is no UTF-8, and for lists and
objects nested deeper than they follow, which a hostile file may hold.
"""

import json
from typing import Any, TypeVar

import msgspec

_T = TypeVar("_T")
_TOO_DEEP = "JSON is nested too deep"
_ANY = msgspec.json.Decoder[Any]()


def decode(
    decoder: msgspec.json.Decoder[_T], content: bytes | memoryview | str | msgspec.Raw
) -> _T:
    """Return the content as the decoder's type.

    Raises:
        msgspec.DecodeError: it is no JSON, no UTF-8, nested too deep, or (as a subclass) of another
            type.
    """
    try:
        return decoder.decode(content)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(str(error)) from None
    except RecursionError:
        raise msgspec.DecodeError(_TOO_DEEP) from None


def decode_any(content: bytes | str | msgspec.Raw) -> Any:
    """Return the content as plain values; errors as in `decode`."""
    return decode(_ANY, content)


def load_first(text: str) -> tuple[Any, int]:
    """Return the first value that Python's `json` reads, and where it ends; errors as in `load`."""
    try:
        return json.JSONDecoder().raw_decode(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def load(text: str | bytes, **options: Any) -> Any:
    """Return what Python's `json` reads, which takes NaN and lone surrogates, too.

    Raises:
        ValueError: it is no JSON, no UTF-8, or nested too deep.
    """
    try:
        return json.loads(text, **options)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def dump(value: Any) -> str:
    """Return a value of JSON as text; "" where it is nested too deep."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return ""

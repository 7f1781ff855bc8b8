"""JSON that is broken, no UTF-8 or nested without end raises one kind of error."""

import msgspec
import pytest

from schemas.json_decoding import decode, decode_any, dump, load, load_first


class _Item(msgspec.Struct):
    id: int
    rest: list[int] = []


DEEP = [b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 50_000 + b"1" + b"}" * 50_000]


@pytest.mark.parametrize("content", [*DEEP, b"[1", b'"\xff"', b""])
def test_one_kind_of_error(content) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_any(content)
    with pytest.raises(msgspec.DecodeError):
        decode(msgspec.json.Decoder(_Item), b'{"id": 1, "rest": ' + content + b"}")
    if b"\xff" not in content:  # a text that is left out is not looked at
        with pytest.raises(msgspec.DecodeError):
            decode(msgspec.json.Decoder(_Item), b'{"id": 1, "other": ' + content + b"}")
    with pytest.raises(ValueError):  # noqa: PT011 - of json, of any text
        load(content)


@pytest.mark.parametrize("content", DEEP)
def test_the_first_value(content) -> None:
    assert load_first("[1] 2") == ([1], 3)
    with pytest.raises(ValueError, match=r"nested too deep|Expecting"):
        load_first(content.decode())


def test_what_is_sound() -> None:
    assert decode(msgspec.json.Decoder(_Item), '{"id": 1, "rest": [2]}') == _Item(1, [2])
    assert decode_any(msgspec.Raw(b'{"a": null}')) == {"a": None}
    assert load("[NaN]") != [None]
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    assert (dump([1, "\u00e4"]), dump(value)) == ('[1, "\u00e4"]', "")

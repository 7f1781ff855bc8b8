"""JSON that is nested deeper than a decoder follows: it costs the item that holds it."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.datasets.common.lenient_json import decode_json, without_deep_values
from pipelines.datasets.common.raw_items import Raw

ITEMS = msgspec.json.Decoder(list[Raw])
ANY = msgspec.json.Decoder()
DEPTHS = (900, 1_500, 100_000)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab[]{}"\\,: é'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('k[{"'), inner, max_size=3),
)


def deep(depth: int, kind: str = "[]") -> str:
    before, after = ("[", "]") if kind == "[]" else ('{"a":', "}")
    return before * depth + "1" + after * depth


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("kind", ["[]", "{}"])
def test_the_items_beside_a_deep_one_are_read(depth, kind):
    content = f'[{{"id": 1}}, {{"id": 2, "x": {deep(depth, kind)}}}, {{"id": 3, "y": NaN}}]'
    items = decode_json(ITEMS, content.encode())
    assert [json.loads(bytes(item))["id"] for item in (items[0], items[2])] == [1, 3]
    assert len(items) == 3
    assert decode_json(ANY, items[1])["id"] == 2


@given(value=JSON)
def test_what_is_not_deep_stays_as_it_is(value: Any) -> None:
    content = json.dumps(value).encode()
    assert without_deep_values(content) == content


@given(value=JSON)
def test_what_is_deep_is_null(value: Any) -> None:
    inner = json.dumps(value)
    content = f"{'[' * 100}{inner}, 7, {inner}{']' * 100}".encode()
    inside = json.loads(without_deep_values(content))
    for _ in range(99):
        (inside,) = inside
    expected = None if isinstance(value, list | dict) else value
    assert inside == [expected, 7, expected]


@pytest.mark.parametrize("content", [b"[" * 100_000, b"]" * 100_000, b'["a' * 100_000])
def test_brackets_that_do_not_match_are_no_json(content):
    with pytest.raises(msgspec.DecodeError):
        decode_json(ITEMS, content)


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_deep_item_of_a_file_costs_itself(coco_file, run_build, depth):
    owner = coco_file().good()
    owner.region(13, 1)
    owner.save()
    text = owner.file.read_text(encoding="utf-8")
    marked = text.replace('"id": 13,', f'"id": 13, "iscrowd": {deep(depth)},', 1)
    assert marked != text
    owner.file.write_text(marked, encoding="utf-8")
    output = run_build(owner)
    assert "11" in output.regions()
    assert [line[:2] for line in output.rejected()] in ([("annotation", "13")], [])

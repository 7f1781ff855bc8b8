"""A divided file yields what it yields as a whole, each byte of its annotations is read once."""

import gzip
import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pipelines.datasets.coco.division import CocoSlice
from pipelines.datasets.coco.source import divide, parse
from pipelines.datasets.common import slices
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.storage.files import FileStore
from schemas.errors import InputFileError
from schemas.source import SourceImage, SplitInput
from tests.pipelines.datasets.divided import counted, entries_of


@pytest.fixture(scope="module")
def owner(coco_file):
    """A file with good items, with bad ones, and with texts that look like the end of an item."""
    owner = coco_file().good(*range(1, 30))
    owner.picture(40, width="wide")
    owner.region(401, 40)
    owner.region(402, 41)
    owner.region(403, 1, bbox=[1])
    owner.region(404, 2, note='}, {"id": 1}, {')
    owner.region(405, 3, parts=[{"a": 1}, {"b": {"c": 2}}, {"d": 3}])
    owner.region(11, 2)
    owner.region(406, 3, id="406", image_id="3", category_id="1")
    owner.data["annotations"] += [{"id": 5}, {"id": 5, "image_id": None}]
    owner.data["images"] += [dict(owner.data["images"][0]), None]
    owner.data["categories"] += [{"id": 1}, {"id": 3, "name": "dog"}]
    random.Random(0).shuffle(owner.data["annotations"])
    return owner.save()


@pytest.fixture
def slice_bytes(monkeypatch):
    """Sets the size of a slice."""
    return lambda size: monkeypatch.setattr(slices, "SLICE_BYTES", size)


def split_of(owner, limit: int | None = None) -> SplitInput:
    (split,) = make_plan(Recipe(sources=(owner.request(),), limit=limit), "", "unused").splits
    return split


@pytest.mark.parametrize("limit", [None, 7])
@pytest.mark.parametrize("size", [1, 300, 2000])
def test_a_divided_file_yields_what_it_yields_as_a_whole(owner, slice_bytes, size, limit):
    slice_bytes(size)
    split = replace(split_of(owner, limit), asks_classes=True)
    divided = entries_of(divide(split, FileStore(), 2, {}))
    assert counted(divided) == counted(parse(split, FileStore()))
    assert sum(isinstance(entry, SourceImage) for entry in divided) == (limit or 29)


def test_all_items_of_a_file_are_counted(owner):
    """Whatever is wrong with them, and also what is no object, with which no file is divided."""
    data = json.loads(owner.file.read_bytes())
    split = split_of(owner)
    path = owner.file.with_name("more.json")
    data["annotations"].insert(7, "text")
    path.write_text(json.dumps(data), encoding="utf-8")
    split.files[split.split] = str(path)
    entries = counted(parse(split, FileStore()))
    assert entries["count image read"] == len(data["images"])
    assert entries["count annotation read"] == len(data["annotations"])


def test_the_slices_have_each_annotation_once(owner, slice_bytes):
    slice_bytes(300)
    split = split_of(owner)
    divided = divide(split, FileStore(), 2, {})
    assert divided is not None
    assert len(divided.slices) > 10
    content = owner.file.read_bytes()
    items: list[Any] = []
    pieces = [piece for piece in divided.slices if isinstance(piece, CocoSlice)]
    assert len(pieces) == len(divided.slices)
    for piece in pieces:
        assert piece.first == len(items)
        items += json.loads(b"[%b]" % content[piece.start : piece.end])
    assert items == json.loads(content)["annotations"]
    ranges = [(piece.start, piece.end) for piece in pieces]
    assert all(before[1] < after[0] for before, after in pairwise(ranges))


@pytest.mark.parametrize("size", [1, 10**6])
def test_a_file_is_whole_where_it_is_small(owner, slice_bytes, size):
    slice_bytes(size)
    assert (divide(split_of(owner), FileStore(), 2, {}) is None) == (size > 1)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: gzip.compress(content),
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: content.replace(b'"bbox": [1]', b'"bbox": [NaN]'),
        lambda content: content[: len(content) // 2],
        lambda content: b'{"images": [], "categories": [], "annotations": null}',
    ],
)
def test_a_file_is_whole_where_it_is_packed_or_not_sound(owner, slice_bytes, tmp_path: Path, spoil):
    slice_bytes(10)
    split = split_of(owner)
    changed = spoil(owner.file.read_bytes())
    assert changed != owner.file.read_bytes()
    path = tmp_path / "annotations.json"
    path.write_bytes(changed)

    split.files[split.split] = str(path)
    assert divide(split, FileStore(), 2, {}) is None


def test_a_file_that_changes_meanwhile_is_refused(owner, slice_bytes, monkeypatch):
    slice_bytes(300)
    divided = divide(split_of(owner), FileStore(), 2, {})
    assert divided is not None
    monkeypatch.setattr(FileStore, "read_range", lambda *_: b'{"id": 1, "ima')
    with pytest.raises(InputFileError, match="was changed while it was read"):
        list(divided.slices[0].deal_out(FileStore()))

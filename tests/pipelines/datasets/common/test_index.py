"""The index of a JSON file names the bytes of each item, and is made in one pass over the file."""

import json
from contextlib import contextmanager
from typing import Any

import pytest

from pipelines.datasets.common import slices
from pipelines.datasets.common.index import FileIndex, StoredItems, collector, read_index
from pipelines.datasets.common.raw_items import Raw
from pipelines.storage.files import FileStore
from schemas.errors import InputFileError

ITEMS = [{"id": number, "note": '}, {"id": [{}], ]' * (number % 3)} for number in range(200)]
NESTED = [{"parts": [{"a": 1}, {"b": {"c": [{}, {}]}}]}] * 30
FILE = {
    "info": {"list": [1, 2, {"things": []}], "name": '"things": [{'},
    "things": ITEMS,
    "none": [],
    "version": 1.5,
    "nested": NESTED,
    "last": None,
}
LISTS = ("things", "none", "nested")


class _Hasty:
    """A file that gives few bytes at once."""

    def __init__(self, file, most: int) -> None:
        self.file, self.most, self.given = file, most, 0

    def read(self, number: int, /) -> bytes:
        content: bytes = self.file.read(min(number, self.most))
        self.given += len(content)
        return content


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Reads the index of a text; returns it, its path, and the items that its readers took."""
    monkeypatch.setattr(slices, "_MORE_BYTES", 64)

    def read(text: str, size: int = 300, most: int = 10**6, lists=LISTS):
        monkeypatch.setattr(slices, "SLICE_BYTES", size)
        path = tmp_path / "file.json"
        path.write_text(text, encoding="utf-8")
        opened = FileStore.open

        class Store(FileStore):
            @contextmanager
            def open(self, path: str):
                with opened(self, path) as file:
                    yield _Hasty(file, most)

        items: dict[str, list[Raw]] = {name: [] for name in lists}
        readers = {name: collector(several) for name, several in items.items()}
        return read_index(str(path), Store(), readers), str(path), items

    return read


def plain(items: Any) -> list[Any]:
    return [json.loads(bytes(item)) for item in items]


@pytest.mark.parametrize("size", [16, 100, 3000])
@pytest.mark.parametrize("most", [1, 50, 10**6])
@pytest.mark.parametrize("indent", [None, 3])
def test_the_index_has_each_item_once(read, size, most, indent):
    index, path, items = read(json.dumps(FILE, indent=indent), size, most)
    assert isinstance(index, FileIndex)
    content = json.dumps(FILE, indent=indent).encode()
    for name in LISTS:
        assert plain(items[name]) == FILE[name]
        assert plain(StoredItems(path, FileStore(), index.lists[name])) == FILE[name]
        assert index.number(name) == len(FILE[name])  # type: ignore[arg-type]
        firsts = [part.first for part in index.lists[name]]
        assert firsts == sorted(set(firsts))
    assert len(index.lists["things"]) > (1 if size < 3000 else 0)
    for name, (start, end) in index.others.items():
        assert json.loads(content[start:end]) == FILE[name]
    assert index.others.keys() == FILE.keys() - set(LISTS)


def test_little_more_than_a_slice_is_held(read, monkeypatch):
    held: list[int] = []
    ahead = slices.JsonStream.ahead

    def watched(stream: slices.JsonStream, number: int) -> memoryview:
        held.append(len(ahead(stream, number)))
        return ahead(stream, number)

    monkeypatch.setattr(slices.JsonStream, "ahead", watched)
    text = json.dumps({"things": ITEMS * 20})
    index, *_ = read(text, lists=["things"])
    assert isinstance(index, FileIndex)
    assert max(held) < 1000 < len(text) / 50


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(FILE)[:-1],
        json.dumps(FILE)[: len(json.dumps(FILE)) // 2],
        json.dumps(FILE) + "}",
        json.dumps(FILE).replace('"id": 150', '"id": NaN'),
        json.dumps(FILE).replace('"last": null', '"things": []'),
        json.dumps(FILE).replace('"last": null', '"last": null,'),
        json.dumps(FILE).replace('"none"', '"other"'),
        json.dumps(FILE).replace('"none": []', '"none": {}'),
        json.dumps(FILE).replace('"none": []', '"none" []'),
        json.dumps(FILE).replace("}], ", "},], "),
        json.dumps([FILE]),
        "\ufeff" + json.dumps(FILE),
    ],
)
def test_a_file_that_is_not_sound_is_read_as_a_whole(read, text):
    content, *_ = read(text)
    assert content == text.encode()


def test_a_small_file_is_read_as_a_whole(read):
    content, *_ = read('{"things": [], "none": [], "nested": []}', size=10**6)
    assert content == b'{"things": [], "none": [], "nested": []}'


def test_a_file_that_changes_after_its_index_is_refused(read):
    index, path, _ = read(json.dumps(FILE))
    assert isinstance(index, FileIndex)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"first": 1} | FILE, file)
    with pytest.raises(InputFileError, match="was changed while it was read"):
        list(StoredItems(path, FileStore(), index.lists["things"]))

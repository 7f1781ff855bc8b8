"""Files that splits share are read once, and no others are kept."""

from collections import Counter

import pytest

from pipelines.storage.files import FileStore
from pipelines.storage.shared_files import SharedFiles
from schemas.errors import InputFileError
from schemas.source import Sizing, SplitInput


def split_with(files: dict[str, str]) -> SplitInput:
    return SplitInput(
        source="refcoco",
        split="train",
        files=files,
        pictures="/data",
        folder="data",
        licence="none",
        seed=0,
        sizing=Sizing(shard_bytes=1, embed=True, record_per_region=False, per_category=None),
    )


class CountingStore(FileStore):
    """A store that counts what it is asked for."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def read(self, path):
        self.asked[path] += 1
        return super().read(path)

    def sizes(self, folder):
        self.asked[folder] += 1
        return super().sizes(folder)


@pytest.fixture
def paths(tmp_path):
    """The paths of two files."""
    for name in ("boxes.json", "train.txt"):
        (tmp_path / name).write_text(name)
    return {"boxes": f"{tmp_path}/boxes.json", "train": f"{tmp_path}/train.txt"}


@pytest.fixture
def counting() -> CountingStore:
    return CountingStore()


@pytest.fixture
def shared(paths, counting) -> SharedFiles:
    """The files of two splits, of which both have the boxes; one has another file twice."""
    train = split_with({**paths, "more": paths["train"]})
    return SharedFiles(counting, [train, split_with({"boxes": paths["boxes"]})])


def test_what_is_shared_is_read_once(shared, counting, paths):
    for _ in range(3):
        assert shared.read(paths["boxes"]) == b"boxes.json"
        assert shared.read(paths["train"]) == b"train.txt"
    assert counting.asked == {paths["boxes"]: 1, paths["train"]: 3}


def test_a_folder_is_listed_once(shared, counting, tmp_path):
    for _ in range(3):
        assert shared.sizes(str(tmp_path)) == {"boxes.json": 10, "train.txt": 9}
    assert counting.asked == {str(tmp_path): 1}


def test_a_file_that_cannot_be_read_is_asked_for_again(shared, counting, paths, tmp_path):
    content = tmp_path / "boxes.json"
    content.rename(tmp_path / "away")
    with pytest.raises(InputFileError, match="cannot read"):
        shared.read(paths["boxes"])
    (tmp_path / "away").rename(content)
    assert shared.read(paths["boxes"]) == b"boxes.json"


def test_the_rest_is_the_stores_own(shared, paths):
    assert shared.read_range(paths["train"], 2, 5) == b"ain"
    with shared.open(paths["boxes"]) as file:
        assert file.read(5) == b"boxes"

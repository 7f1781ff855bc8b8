"""A build that divides a file leaves the same bytes, and reads each byte of it once."""

import random
from collections import Counter

import pytest

from pipelines.datasets.common import slices
from pipelines.storage.files import FileStore
from schemas.errors import BuildError, InputFileError


@pytest.fixture(scope="module")
def owner(coco_file):
    owner = coco_file().good(*range(1, 60))
    owner.region(7001, 99)
    owner.data["annotations"].append({"id": 5})
    owner.data["categories"].append({"id": 3, "name": "cat"})  # so neither name is trusted
    random.Random(0).shuffle(owner.data["annotations"])
    return owner.save()


@pytest.fixture
def read_bytes(monkeypatch):
    """Counts the bytes that are read of slices, and of whole files, by their paths."""
    counts: Counter[tuple[str, str]] = Counter()
    read, read_range = FileStore.read, FileStore.read_range

    def counted_read(store: FileStore, path: str) -> bytes:
        content = read(store, path)
        counts["whole", path] += len(content)
        return content

    def counted_range(store: FileStore, path: str, start: int, end: int) -> bytes:
        content = read_range(store, path, start, end)
        counts["slices", path] += len(content)
        return content

    monkeypatch.setattr(FileStore, "read", counted_read)
    monkeypatch.setattr(FileStore, "read_range", counted_range)
    return counts


@pytest.mark.parametrize("limit", [None, 10])
def test_the_bytes_are_those_of_one_reader(
    owner, run_build, in_parts, monkeypatch, read_bytes, limit
):
    whole = run_build(owner, limit=limit)
    path, size = str(owner.file), owner.file.stat().st_size
    monkeypatch.setattr(slices, "SLICE_BYTES", 500)
    read_bytes.clear()
    divided = run_build(owner, limit=limit, launch_options=in_parts)
    assert divided.digests() == whole.digests()
    assert divided.ledger() == whole.ledger()
    assert divided.rejected() == whole.rejected()
    assert 0.5 * size < read_bytes["slices", path] < size
    assert read_bytes["whole", path] == 2 * size, "the quick look, and the worker that cuts"


def test_a_slice_that_cannot_be_read_ends_the_build(owner, run_build, in_parts, monkeypatch):
    read_range = FileStore.read_range

    def fail(store: FileStore, path: str, start: int, end: int) -> bytes:
        if path == str(owner.file):
            raise InputFileError(f"cannot read {path}: connection reset")
        return read_range(store, path, start, end)

    monkeypatch.setattr(slices, "SLICE_BYTES", 500)
    monkeypatch.setattr(FileStore, "read_range", fail)
    with pytest.raises(BuildError, match=r"cannot read .*: connection reset$"):
        run_build(owner, launch_options=in_parts)

"""The store of the quick look gives a listing's sizes, and lists only where it must."""

import pytest

from pipelines.preflight import quick_store
from pipelines.preflight.quick_store import QuickStore
from pipelines.storage.files import FileStore, walk


@pytest.fixture
def listed(monkeypatch):
    """The folders that are listed, in order."""
    folders = []

    def note(folder):
        folders.append(folder)
        return walk(folder)

    monkeypatch.setattr(quick_store, "walk", note)
    return folders


def test_sizes_are_looked_up_without_a_listing(tmp_path, listed):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.jpg").write_bytes(b"123")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "a" / "1.jpg")
    (tmp_path / "broken.jpg").symlink_to(tmp_path / "gone.jpg")
    sizes = QuickStore().sizes(str(tmp_path))
    assert sizes["a/1.jpg"] == sizes["b.jpg"] == 3
    for absent in ("", "a", "gone.jpg", "broken.jpg", "nul\0.jpg", "x" * 5000):
        assert absent not in sizes
    assert listed == []
    assert dict(sizes) == dict(FileStore().sizes(str(tmp_path))) == {"a/1.jpg": 3, "b.jpg": 3}
    assert len(sizes) == 2
    assert listed == [str(tmp_path)]

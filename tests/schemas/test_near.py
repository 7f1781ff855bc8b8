"""The folder that was meant by one that is not there."""

import pytest

from schemas.near import near_folder


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("wrld", "; did you mean world?"),
        ("wrld/coco", "; did you mean world/coco?"),
        ("world/cocoa", "; did you mean world/coco?"),
        ("world/xyz", ""),
        ("world/fil", ""),  # a file is near
        ("world", ""),
    ],
)
def test_a_near_folder_is_named(path, meant, tmp_path, monkeypatch):
    (tmp_path / "world" / "coco").mkdir(parents=True)
    (tmp_path / "world" / "file").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert near_folder(path) == meant
    whole = meant.replace("mean ", f"mean {tmp_path}/")
    assert near_folder(str(tmp_path / path)) == whole


def test_an_unreadable_path_has_none():
    assert near_folder("x" * 300) == ""
    assert near_folder("") == ""
    assert near_folder("/") == ""

"""Pictures of rows: in the shard, or below a folder and nowhere else."""

import os

import pytest

from schemas.errors import InputFileError, UsageError
from train.data.pictures import picture_bytes


def row(path=None, content=None):
    return {"id": "coco/train/7/vqa/0", "image": {"bytes": content, "path": path}}


def test_bytes_in_the_shard_need_no_folder():
    assert picture_bytes(row("7.jpg", b"\xff\xd8"), None) == b"\xff\xd8"
    assert picture_bytes({"id": "x", "image": None}, None) is None


def test_a_reference_is_read_below_the_folder(tmp_path):
    (tmp_path / "coco").mkdir()
    (tmp_path / "coco" / "7.jpg").write_bytes(b"picture")
    assert picture_bytes(row("coco/7.jpg"), tmp_path) == b"picture"


def test_a_reference_without_a_folder_says_what_to_do():
    with pytest.raises(UsageError, match=r"coco/train/7/vqa/0: .*name the folder.*--image-root"):
        picture_bytes(row("coco/7.jpg"), None)


def test_a_missing_picture_names_file_and_row(tmp_path):
    with pytest.raises(InputFileError, match=r"7.jpg: No such file .*\(coco/train/7/vqa/0\)"):
        picture_bytes(row("7.jpg"), tmp_path)


@pytest.mark.parametrize("path", ["../7.jpg", "/etc/passwd", "coco/../../7.jpg", "a\0b"])
def test_no_path_leaves_the_folder(tmp_path, path):
    (tmp_path / "root").mkdir()
    (tmp_path / "7.jpg").write_bytes(b"secret")
    with pytest.raises(InputFileError, match="lies outside the folder of pictures"):
        picture_bytes(row(path), tmp_path / "root")


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("train.data.pictures.MAX_IMAGE_BYTES", 3)
    (tmp_path / "7.jpg").write_bytes(b"four")
    with pytest.raises(InputFileError, match="4 bytes, expected 3 at most"):
        picture_bytes(row("7.jpg"), tmp_path)


@pytest.mark.timeout(30)
def test_what_is_no_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "7.jpg")  # whoever reads it waits for a writer
    with pytest.raises(InputFileError, match=r"7.jpg: not a regular file \(coco/train/7/vqa/0\)"):
        picture_bytes(row("7.jpg"), tmp_path)
    (tmp_path / "endless.jpg").symlink_to("/dev/zero")
    with pytest.raises(InputFileError, match="not a regular file"):
        picture_bytes(row("endless.jpg"), tmp_path)

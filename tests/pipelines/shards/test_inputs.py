"""The digests of folders of pictures: by names and sizes, each folder listed once."""

import pytest

from pipelines.shards.inputs import _listing_digests, listing_digest
from pipelines.storage import files


@pytest.fixture
def root(tmp_path):
    for name in (
        "coco/train/1.jpg",
        "coco/train/more/2.jpg",
        "coco/train2/1.jpg",
        "out/coco/3.jpg",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_folders_below_others_have_the_digests_of_their_own_listings(root, monkeypatch):
    listed, walk = [], files.walk
    folders = [str(root / name) for name in ("coco/train", "coco", "coco/train2", "out")]
    expected = {folder: listing_digest(folder, str(root / "nowhere")) for folder in folders}
    assert len(set(expected.values())) == len(folders)

    def noted_walk(folder):
        listed.append(folder)
        return walk(folder)

    monkeypatch.setattr(files, "walk", noted_walk)
    assert _listing_digests([*folders, *folders], str(root / "nowhere")) == expected
    assert sorted(listed) == [str(root / "coco"), str(root / "out")]


def test_files_of_the_output_are_no_pictures(root):
    whole, output = str(root), str(root / "out")
    before = _listing_digests([whole], output)
    (root / "out" / "coco" / "4.jpg").write_bytes(b"x")
    assert _listing_digests([whole], output) == before == {whole: listing_digest(whole, output)}
    (root / "coco" / "4.jpg").write_bytes(b"x")
    assert _listing_digests([whole], output) != before

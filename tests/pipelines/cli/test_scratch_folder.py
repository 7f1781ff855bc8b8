"""Folders that `sample-world` draws into, and those that it leaves alone."""

import pytest

from pipelines.cli.parser import run


def test_an_owners_files_are_not_drawn_over(tmp_path, capsys):
    theirs = tmp_path / "coco" / "annotations" / "instances_val2017.json"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("{}", encoding="utf-8")
    assert run(["sample-world", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"error: {tmp_path} holds files of yours; name a folder that is empty or not there\n"
    )
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [theirs]
    assert theirs.read_text(encoding="utf-8") == "{}"


def test_a_world_is_drawn_again_where_one_was_drawn(tmp_path):
    world = tmp_path / "below" / "world"
    assert run(["sample-world", str(world)]) == 0
    file = world / "coco" / "annotations" / "instances_val2017.json"
    first = file.read_bytes()
    assert run(["sample-world", str(world), "--seed", "1"]) == 0
    assert file.read_bytes() != first


@pytest.mark.parametrize("path", ["s3://x", "gs://bucket/world", ""])
def test_a_folder_that_is_not_of_this_machine(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["sample-world", path]) == 2
    assert capsys.readouterr().err == f"error: {path!r}: expected a folder of this machine\n"
    assert list(tmp_path.iterdir()) == []

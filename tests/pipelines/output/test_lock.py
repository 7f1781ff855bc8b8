"""One run at a time writes into an output, and only what builds of ours wrote is ever deleted."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.output import lock
from pipelines.output.finish import finish
from pipelines.runner.launch import LaunchOptions
from schemas.errors import BuildError
from schemas.layout import IDENTITY
from schemas.manifest import BuildIdentity

REBUILD = LaunchOptions(rebuild=True)
HOLD = (
    "import fcntl, os, sys, time; fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX); "
    "print(flush=True); time.sleep(600)"
)


@pytest.fixture
def good(coco_file):
    return coco_file().good(1, 2, 3, 4).save()


@pytest.fixture
def built(good, run_build):
    return run_build(good)


@pytest.fixture
def held(tmp_path):
    """An output that another process holds, and that process."""
    folder = tmp_path / "held"
    folder.mkdir()
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield folder, process
        process.kill()


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def change_seed(folder: Path) -> None:
    """Make an output that of another build."""
    path = folder / IDENTITY
    identity = BuildIdentity.model_validate_json(path.read_bytes())
    identity.sources["coco"].settings["seed"] = 5
    path.write_text(identity.model_dump_json())


def test_another_run_that_is_writing_is_not_disturbed(good, run_build, held, monkeypatch):
    monkeypatch.setattr(lock, "PATIENCE", 0.2)
    folder, _ = held
    with pytest.raises(BuildError, match=f"another run is writing into {folder}: wait until"):
        run_build(good, folder, launch_options=REBUILD)
    assert files_below(folder) == {}


def test_a_run_that_was_killed_holds_nothing(good, run_build, held):
    folder, process = held
    process.kill()
    assert run_build(good, folder).images() == ["1", "2", "3", "4"]


def test_an_output_may_lie_where_there_are_no_locks(good, run_build, monkeypatch):
    def refuse(*_):
        raise OSError("no locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    assert run_build(good).images() == ["1", "2", "3", "4"]


@pytest.mark.parametrize("which", ["shard", "identity"])
def test_an_output_that_another_run_wrote_into_meanwhile(good, run_build, monkeypatch, which):
    def meddled(output, identity, **options):
        folder = Path(output)
        if which == "shard":
            (folder / "coco" / "train-00000-of-00001.arrow").write_bytes(b"of another")
        else:
            change_seed(folder)
        return finish(output, identity, **options)

    monkeypatch.setattr("pipelines.runner.launch.finish", meddled)
    with pytest.raises(BuildError, match=r"another run wrote into .* is not what was written"):
        run_build(good)


@pytest.mark.parametrize("options", [LaunchOptions(), REBUILD], ids=["plain", "rebuild"])
def test_shards_that_others_keep_below_an_output_stay(good, run_build, built, tmp_path, options):
    shutil.copytree(built.folder / "coco", tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "train-00007-of-00009.arrow").write_bytes(b"of another build")
    shutil.copytree(tmp_path / "elsewhere", built.folder / "mine")
    (built.folder / "coco-link").symlink_to(tmp_path / "elsewhere")
    (built.folder / "lvis").symlink_to(tmp_path / "elsewhere")
    (built.folder / "mine" / ".tmp-mine").write_bytes(b"named like ours")
    before = files_below(tmp_path) | files_below(built.folder / "mine")
    run_build(good, built.folder, launch_options=options)
    assert files_below(tmp_path) | files_below(built.folder / "mine") == before


def test_a_folder_with_files_of_others_alone_is_no_empty_one(good, run_build, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / ".tmp-mine").write_bytes(b"years of work")
    with pytest.raises(BuildError, match="files that no build of ours wrote"):
        run_build(good, tmp_path, launch_options=REBUILD)
    assert files_below(tmp_path) == {"sub/.tmp-mine": b"years of work"}


@pytest.mark.parametrize("kept", ["manifest", "damaged"])
def test_an_output_whose_record_is_lost_can_be_replaced(good, run_build, built, kept):
    if kept == "manifest":
        (built.folder / IDENTITY).unlink()
        assert run_build(good, built.folder).digests() == built.digests()
        (built.folder / IDENTITY).unlink()
    else:
        (built.folder / IDENTITY).write_bytes(b"{}")
    with pytest.raises(
        BuildError,
        match=r"holds another build, wh(ich differs in coco: seed|ose record is unreadable)",
    ):
        run_build(good, built.folder, seed=5)
    assert (
        run_build(good, built.folder, seed=5, launch_options=REBUILD)
        .manifest()
        .identity.recipe["seed"]
        == 5
    )


def test_what_came_to_nothing_stands_in_nobodys_way(coco_file, run_build, tmp_path):
    owner = coco_file()
    owner.file.write_bytes(b'{"images": [], "annotations": null, "categories": []}')
    with pytest.raises(BuildError, match="not a whole COCO annotation file"):
        run_build(owner, tmp_path)
    output = run_build(owner.good().save(), tmp_path, request={"label_set": "Shapes-15"})
    assert output.images() == ["1", "2", "3"]


def test_a_rebuild_of_the_same_build_does_all_anew(good, run_build, built):
    (shard,) = built.digests()
    before = os.stat(built.folder / shard).st_mtime_ns
    (good.pictures / "1.jpg").write_bytes(bytes((good.pictures / "1.jpg").stat().st_size))
    again = run_build(good, built.folder)
    assert os.stat(built.folder / shard).st_mtime_ns == before, "its size tells nothing"
    again = run_build(good, built.folder, launch_options=REBUILD)
    assert again.images() == ["2", "3", "4"]
    assert again.digests() == run_build(good).digests()


def test_a_picture_that_could_not_be_read_is_tried_again(good, run_build, monkeypatch):
    from pipelines.storage import files

    def refuse(path, room):
        if path.endswith("/2.jpg"):
            raise PermissionError(13, "Permission denied")
        return read(path, room)

    read = files.read_into
    monkeypatch.setattr(files, "read_into", refuse)
    output = run_build(good)
    assert output.images() == ["1", "3", "4"]
    monkeypatch.undo()
    again = run_build(good, output.folder)
    assert again.images() == ["1", "2", "3", "4"]
    assert again.rejected() == []
    assert again.digests() == run_build(good).digests()


def test_what_a_finished_shard_rejected_is_told_again(good, run_build):
    (good.pictures / "3.jpg").write_bytes((good.pictures / "3.jpg").read_bytes()[:-100])
    output = run_build(good)
    assert "image" in {kind for kind, *_ in output.rejected()}
    before = (output.folder / "_rejected" / "coco.jsonl").read_bytes()
    ledger = output.ledger()
    (shard,) = output.digests()
    written = os.stat(output.folder / shard).st_mtime_ns
    again = run_build(good, output.folder)
    assert os.stat(output.folder / shard).st_mtime_ns == written, "it was skipped"
    assert (again.folder / "_rejected" / "coco.jsonl").read_bytes() == before
    assert again.ledger() == ledger

"""A build that is run again: what is finished stays, the rest is redone, others' files are safe."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from pipelines.runner.launch import LaunchOptions
from pipelines.verify import verify
from schemas.columns import to_batch
from schemas.errors import BuildError

LABELS = {"label_set": "Shapes-15"}
SHARD_BYTES = 200_000
NOTES = ("notes.txt", "mine/other.arrow", "coco/notes.txt", "_statements/june.txt")
REBUILD = LaunchOptions(rebuild=True)


def same(root: Path, run_build, output: Path | None = None, **options):
    return run_build(root, output, request=LABELS, **{"shard_bytes": SHARD_BYTES} | options)


def times(output) -> dict[str, int]:
    return {path: (output.folder / path).stat().st_mtime_ns for path in output.digests()}


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def built(sample_world, run_build):
    return same(sample_world, run_build)


@pytest.fixture
def output(built, output_of, tmp_path):
    return output_of(Path(shutil.copytree(built.folder, tmp_path / "output")))


def test_finished_shards_are_skipped_and_no_picture_is_opened(
    sample_world, run_build, built, output, monkeypatch
):
    before, whole = times(output), files_of(output.folder)
    monkeypatch.setattr(
        "pipelines.storage.files.read_into", lambda *_: pytest.fail("opens a picture")
    )
    again = same(sample_world, run_build, output.folder)
    assert times(again) == before
    del whole["README.md"], (now := files_of(output.folder))["README.md"]
    assert now == whole


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: os.truncate(path, 5_000)])
def test_a_shard_that_is_gone_or_short_is_redone_alone(
    sample_world, run_build, built, output, damage
):
    before = times(output)
    name = "coco/train-00001-of-00004.arrow"
    damage(output.folder / name)
    again = same(sample_world, run_build, output.folder)
    assert again.digests() == built.digests()
    assert [path for path, time in times(again).items() if time != before[path]] == [name]
    assert again.manifest() == built.manifest()
    assert again.ledger() == built.ledger()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"fingerprint": ""}', b'{"fingerprint": "\xff"}']
)
def test_a_damaged_note_of_a_shard_only_costs_its_time(
    sample_world, run_build, built, output, content
):
    (note,) = (output.folder / "_state" / "coco").glob("train-00001-*")
    note.write_bytes(content)
    assert same(sample_world, run_build, output.folder).digests() == built.digests()


def test_pictures_that_changed_are_read_again(sample_world, run_build, tmp_path):
    root = Path(shutil.copytree(sample_world, tmp_path / "world"))
    output = same(root, run_build)
    before, name = times(output), output.rows("coco/val-*.arrow")[0]["image"]["path"]
    picture = root / "coco" / "val2017" / name
    picture.unlink()  # it may be a link
    picture.write_bytes((sample_world / "coco" / "val2017" / name).read_bytes() + b"\0")
    again = same(root, run_build, output.folder)
    assert len([path for path, time in times(again).items() if time != before[path]]) == 1
    assert again.digests() == same(root, run_build).digests()


def test_pictures_that_come_late_leave_nothing_of_the_run_without_them(two_splits, run_build):
    root, splits = two_splits
    late = splits["train"].pictures / "1.jpg"
    content = late.read_bytes() + bytes(3 * SHARD_BYTES)
    late.unlink()
    output = same(root, run_build)
    before = output.digests().keys()
    assert output.rejected()
    late.write_bytes(content)
    again, fresh = same(root, run_build, output.folder), same(root, run_build)
    assert again.digests() == fresh.digests()
    assert not before & {name for name in again.digests() if "train" in name}
    assert again.rejected() == []
    assert verify(str(again.folder)).problems == []


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        ({"seed": 5}, r"coco: seed \(0, now 5\)"),
        (
            {"style": "gpt4roi"},
            r"coco: per_image \(none, now 100\), style \('regiongpt', now 'gpt4roi'\)",
        ),
        ({"limit": 3, "per_image": 2}, r"coco: limit \(none, now 3\), per_image \(none, now 2\)"),
        ({"shard_bytes": 10**9}, r"shard_bytes \(200000, now 1000000000\)"),
    ],
)
def test_another_recipe_is_refused_and_touches_nothing(
    sample_world, run_build, output, options, difference
):
    before = files_of(output.folder)
    with pytest.raises(BuildError, match=f"another build, which differs in {difference}. Choose"):
        same(sample_world, run_build, output.folder, **options)
    assert files_of(output.folder) == before


def test_another_annotation_file_is_refused(sample_world, run_build, output, tmp_path):
    root = Path(shutil.copytree(sample_world, tmp_path / "world"))
    with (root / "coco" / "annotations" / "instances_val2017.json").open("ab") as file:
        file.write(b"\n")
    with pytest.raises(BuildError, match=r"the input files \(instances_val2017.json\)\. "):
        same(root, run_build, output.folder)


def test_rebuilding_leaves_nothing_of_the_other_build(sample_world, run_build, output):
    again = same(sample_world, run_build, output.folder, shard_bytes=10**9, launch_options=REBUILD)
    fresh = same(sample_world, run_build, shard_bytes=10**9)
    assert set(again.digests()) == {
        "coco/train-00000-of-00001.arrow",
        "coco/val-00000-of-00001.arrow",
    }
    here, there = files_of(again.folder), files_of(fresh.folder)
    assert here.keys() == there.keys()
    assert again.digests() == fresh.digests()


@pytest.mark.parametrize("options", [LaunchOptions(), REBUILD], ids=["plain", "rebuild"])
@pytest.mark.parametrize("name", ["README.md", "thesis.tex", "photos/1.jpg", "coco/mine.arrow"])
def test_files_of_others_are_never_touched(sample_world, run_build, tmp_path, name, options):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"years of work")
    with pytest.raises(BuildError, match="holds files that no build of ours wrote"):
        same(sample_world, run_build, tmp_path, launch_options=options)
    assert files_of(tmp_path) == {name: b"years of work"}


def test_the_name_of_the_output_is_no_pattern(sample_world, run_build, output, tmp_path):
    before = files_of(output.folder)
    twin = same(sample_world, run_build, tmp_path / "outpu[t]")
    assert files_of(output.folder) == before
    assert twin.digests() == output.digests()
    assert same(sample_world, run_build, tmp_path / "outpu[t]").manifest() == twin.manifest()
    assert files_of(output.folder) == before


def test_files_of_others_beside_a_build_survive_a_rebuild(sample_world, run_build, output):
    for name in NOTES:
        (output.folder / name).parent.mkdir(exist_ok=True)
        (output.folder / name).write_bytes(b"years of work")
    again = same(sample_world, run_build, output.folder, seed=5, launch_options=REBUILD)
    for name in NOTES:
        assert (again.folder / name).read_bytes() == b"years of work"


def test_what_a_killed_run_left_half_written_is_removed(sample_world, run_build, built, output):
    half = (
        output.folder / "coco" / ".tmp-train-00001-of-00004.arrow-0123456789abcdef0123456789abcdef"
    )
    half.write_bytes(b"half")
    again = same(sample_world, run_build, output.folder)
    assert not half.exists()
    assert again.digests() == built.digests()


def test_a_run_killed_before_it_began_is_no_obstacle(sample_world, run_build, built, tmp_path):
    (tmp_path / "_state").mkdir()
    (tmp_path / "_state" / ".tmp-build.json-0123456789abcdef0123456789abcdef").write_bytes(b"{")
    assert same(sample_world, run_build, tmp_path).digests() == built.digests()


def test_a_full_disk_is_named_and_leaves_nothing_in_halves(
    sample_world, run_build, output_of, built, tmp_path, monkeypatch
):
    batches = 0

    def fill_up(*arguments):
        nonlocal batches
        if (batches := batches + 1) > 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return to_batch(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.shards.writer.to_batch", fill_up)
        message = f"no space is left for {tmp_path}. Finished shards are kept: make room"
        with pytest.raises(BuildError, match=message):
            same(sample_world, run_build, tmp_path)
    finished = output_of(tmp_path).digests()
    assert finished
    assert finished.items() < built.digests().items()
    assert [name for name in files_of(tmp_path) if ".tmp-" in name] == []
    assert same(sample_world, run_build, tmp_path).digests() == built.digests()


def test_a_full_disk_is_named_when_a_worker_process_tells_of_it(
    sample_world, run_build, tmp_path, monkeypatch
):
    def fail(*_):
        raise RuntimeError("Traceback ... OSError: [Errno 28] No space left on device [while ...")

    monkeypatch.setattr("pipelines.write.write_shard", fail)
    with pytest.raises(BuildError, match="no space is left for "):
        same(sample_world, run_build, tmp_path)

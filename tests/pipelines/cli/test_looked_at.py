"""Commands that read outputs: a mistake is one line, and the outputs stay as they are."""

import shutil

import pytest

from schemas.errors import BuildError

LONG = "x" * 300


@pytest.fixture(scope="module")
def build(coco_file, run_build):
    owner = coco_file().good(1, 2)
    for category in owner.data["categories"]:
        category["name"] = LONG[: -category["id"]]
    return run_build(owner.save()).folder


@pytest.fixture(scope="module")
def without_records(coco_file, run_build, tmp_path_factory):
    owner, folder = coco_file().good(1), tmp_path_factory.mktemp("nothing")
    owner.data["annotations"].clear()
    with pytest.raises(BuildError, match="nothing was kept"):
        run_build(owner.save(), folder)
    return folder


WRITERS = {
    "report": ["report", "{build}", "--to", "{build}/new"],
    "export": ["export", "{build}", "--format", "llava", "--to", "{build}/new"],
    "subset": ["subset", "{build}", "--limit", "1", "--output", "{build}/new"],
    "merge": ["merge", "{other}", "{build}", "--output", "{build}/new"],
}


@pytest.mark.parametrize("words", WRITERS.values(), ids=WRITERS)
def test_nothing_else_is_written_into_a_build(build, command_line, tmp_path, words):
    shutil.copytree(build, tmp_path / "other")
    before = sorted(build.rglob("*"))
    done = command_line(*(word.format(build=build, other=tmp_path / "other") for word in words))
    message = f"error: cannot write into {build}/new: {build} is a build; name another one"
    assert (done.returncode, done.stderr.strip()) == (2, message)
    assert sorted(build.rglob("*")) == before


@pytest.mark.parametrize("words", [["info"], ["push", "--repo", "me/x"], ["diff", "."]])
def test_a_file_is_no_output(command_line, tmp_path, words):
    file = tmp_path / "a.json"
    file.touch()
    done = command_line(words[0], file, *words[1:])
    message = f"error: {file}: this is a file; expected a folder"
    assert (done.returncode, done.stderr.strip()) == (2, message)


@pytest.mark.parametrize(
    "words",
    [
        *(["verify"], ["info"], ["preview"], ["diff", "."], ["report", "--to", "new"]),
        *(["export", "--format", "llava", "--to", "new"], ["push", "--repo", "me/x"]),
        *(["subset", "--limit", "1", "--output", "new"], ["merge", "other", "--output", "new"]),
    ],
    ids=lambda words: words[0],
)
def test_a_folder_without_an_output_is_a_mistake(command_line, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "other"):
        (tmp_path / name).mkdir()
    done = command_line(words[0], "empty", *words[1:])
    last = done.stderr.strip().splitlines()[-1]
    assert (done.returncode, last) == (
        2, "error: no output is in empty: empty/manifest.json is not there",
    )  # fmt: skip
    assert not (tmp_path / "new").exists()


def test_an_output_without_records_is_neither_exported_nor_sent(
    without_records, command_line, tmp_path
):
    done = command_line("export", without_records, "--format", "coco", "--to", tmp_path / "new")
    assert (done.returncode, done.stderr.strip()) == (
        2, "error: no records are here: the output holds none",
    )  # fmt: skip
    done = command_line("push", without_records, "--repo", "me/x", "--dry-run")
    assert done.returncode == 2
    assert "holds no records: there is nothing to send" in done.stderr


def test_a_damaged_shard_does_not_equal_the_whole_one(build, command_line, tmp_path):
    copy = shutil.copytree(build, tmp_path / "copy")
    (shard,) = copy.glob("coco/*.arrow")
    content = shard.read_bytes()
    shard.write_bytes(content[:-8])
    done = command_line("diff", build, copy)
    sizes = f"has {len(content) - 8:,} bytes; {len(content):,} are listed"
    assert (done.returncode, done.stderr.strip()) == (1, f"error: {shard} {sizes}")
    shard.unlink()
    done = command_line("diff", copy, build)
    assert (done.returncode, "is not there" in done.stderr) == (1, True)


def test_a_folder_is_no_list(build, command_line, tmp_path):
    done = command_line("diff", build, build, "--list", tmp_path)
    assert done.returncode == 2
    assert f"--list {tmp_path}: this is a folder; expected the name of a file" in done.stderr


def test_long_names_are_shown_by_their_beginning(build, without_records, command_line):
    for words in (["info", build], ["diff", without_records, build]):
        shown = command_line(*words).stdout
        assert f"{'x' * 39}… " in shown
        assert "x" * 40 not in shown

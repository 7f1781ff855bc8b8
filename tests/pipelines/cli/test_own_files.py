"""`recap` takes a user's own files as `build` does, and files as editors leave them are read."""

import gzip

import pytest

from pipelines.cli.parser import run


def test_recap_captions_a_file_of_ones_own(coco_file, command_line, output_of, tmp_path):
    owner = coco_file().good(1, 2).save()
    own = ["--coco-annotations", owner.file, "--coco-images", owner.pictures]
    words = ["--captioner", "builtin", "--no-filter", "--output", tmp_path / "recapd"]
    done = command_line("recap", "--source", "coco", *own, *words)
    assert done.returncode == 0, done.stderr
    captions = output_of(tmp_path / "recapd").regions()
    assert captions.keys() == {"11", "12", "21", "22"}
    recapd = ["--recapd", tmp_path / "recapd", "--output", tmp_path / "out"]
    built = command_line("build", "--sources", "coco", *own, *recapd)
    assert built.returncode == 0, built.stderr
    assert "captions for 4 of 4 drawn regions" in built.stdout


def test_recap_takes_them_for_their_source_alone(command_line, coco_file, tmp_path):
    owner = coco_file().good(1).save()
    words = ["--captioner", "builtin", "--no-filter", "--output", tmp_path / "recapd"]
    done = command_line("recap", "--source", "lvis", "--coco-annotations", owner.file, *words)
    assert done.returncode == 2
    assert "go with --source coco" in done.stderr


@pytest.mark.parametrize("name", ["boxes.json", "boxes.json.gz"])
def test_a_mark_and_gzip_change_no_record(coco_file, run_build, name):
    plain, other = coco_file().good().save(), coco_file().good()
    content = plain.file.read_bytes()
    other.file = other.file.with_name(name)
    packed = gzip.compress(content) if name.endswith(".gz") else b"\xef\xbb\xbf" + content
    other.file.write_bytes(packed)
    assert run_build(plain).rows() == run_build(other).rows()


def test_a_file_that_is_not_there_is_not_the_owners(tmp_path, capsys):
    words = ["build", "--sources", "coco", "--output", str(tmp_path / "out")]
    words += ["--coco-annotations", str(tmp_path / "no.json"), "--coco-images", str(tmp_path)]
    assert run(words) == 2
    error = capsys.readouterr().err
    assert f"error: there is no {tmp_path}/no.json: --coco-annotations names your own file" in error
    assert "cocodataset.org" not in error

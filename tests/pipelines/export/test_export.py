"""What all exports have in common: whole or not there, listed, and licensed."""

import hashlib
import io
import json
from collections import Counter

import pytest
from PIL import Image
from PIL.ExifTags import Base

from pipelines.cli.parser import make_parser
from pipelines.export import losses
from pipelines.export.chat import LINES, LIST, write_file
from pipelines.export.formats import FORMATS
from pipelines.export.names import FORMATS as OFFERED
from pipelines.export.run import Request, export_build
from pipelines.export.target import Target, ending_of
from schemas.errors import InputFileError, UsageError


@pytest.mark.parametrize("name", FORMATS)
def test_every_file_is_listed_with_its_digest(build, export, name):
    written = export(build, format=name, config="refcocog")
    there = {
        str(path.relative_to(written.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in written.folder.rglob("*")
        if path.is_file()
    }
    summary = written.summary()
    assert there.pop("files.jsonl") == summary["files_sha256"]
    assert there.pop("export.json")
    assert {path: line["sha256"] for path, line in written.listed().items()} == there
    assert (written.outcome.files, written.outcome.bytes) == (summary["files"], summary["bytes"])
    assert summary["files"] == len(there)
    sizes = (written.folder / path for path in there)
    assert summary["bytes"] == sum(path.stat().st_size for path in sizes)


@pytest.mark.parametrize("name", FORMATS)
def test_licences_and_owners_are_carried_over(build, export, records, name):
    written = export(build, format=name)
    licences = Counter(record["licence"] for record in records.values())
    assert written.summary()["licences"] == licences
    card = (written.folder / "README.md").read_text("utf-8")
    original = (build / "README.md").read_text("utf-8")
    for heading in ("## Sources", "## Citing", "## How it was made"):
        section = original.partition(heading)[2].partition("\n## ")[0].strip()
        assert section in card
    assert card.count("## Format") == 1
    assert "## Loading" not in card
    assert "license: other" in card


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_build_gives_the_same_bytes(build, export, name):
    first, second = (export(build, format=name, config="coco") for _ in range(2))
    assert first.listed() == second.listed()
    assert first.summary() == second.summary()


def test_a_failure_leaves_nothing(build, tmp_path, monkeypatch):
    def fail(part, target):
        target.write("half.json", b"[")
        raise InputFileError("no more")

    form = FORMATS["llava"]
    broken = type(form)(title=form.title, about=form.about, write=fail)
    monkeypatch.setattr("pipelines.export.run.FORMATS", {"llava": broken})
    with pytest.raises(InputFileError, match="no more"):
        export_build(str(build), str(tmp_path / "out"), Request(format="llava"))
    assert list(tmp_path.iterdir()) == []


def test_a_taken_folder_is_refused(build, tmp_path):
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="exists already"):
        export_build(str(build), str(tmp_path), Request(format="llava"))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "parquet"])
def test_a_build_by_reference_needs_the_folder_of_its_pictures(
    build, referring, export, sample_world, name
):
    with pytest.raises(UsageError, match="--image-root"):
        export(referring, format=name)
    one = export(build, format=name).summary()
    other = export(referring, format=name, image_root=str(sample_world)).summary()
    assert one["records"] == other["records"]
    # A picture that does not fit is rejected by a build that opens it.
    assert other["lost"][losses.UNUSABLE] > 0


def test_pictures_of_a_build_by_reference_are_in_the_frame_of_their_boxes(
    referring, export, sample_world
):
    written = export(referring, format="coco", image_root=str(sample_world))
    rewritten = 0
    for path in written.folder.glob("annotations/*.json"):
        prefix = "images/{}/{}/".format(*path.stem.removeprefix("instances_").rsplit("_", 1))
        for image in json.loads(path.read_bytes())["images"]:
            name = image["file_name"]
            with Image.open(written.folder / name) as picture:
                assert picture.size == (image["width"], image["height"])
                assert picture.getexif().get(Base.Orientation, 1) == 1
            owners = sample_world / name.removeprefix(prefix)
            rewritten += owners.read_bytes() != (written.folder / name).read_bytes()
    assert rewritten > 0


def test_parquet_leaves_pictures_where_they_are(referring, export):
    written = export(referring, format="parquet")
    assert not list(written.folder.rglob("*.jpg"))
    with pytest.raises(UsageError, match="leaves pictures where they are"):
        export(referring, format="parquet", image_root="/")


def test_a_picture_that_is_gone_is_named(referring, export, tmp_path):
    with pytest.raises(InputFileError, match=r"the picture of coco/train/\d+"):
        export(referring, format="llava", config="coco", image_root=str(tmp_path))


@pytest.fixture
def target(tmp_path):
    return Target(folder=tmp_path, listing=io.BytesIO(), lost=Counter())


def record(picture, path="a.jpg"):
    image = {"bytes": picture, "path": path}
    return {"id": "x/train/1/t/0", "split": "train", "width": 48, "height": 32, "image": image}


@pytest.fixture
def pictures(coco_file):
    owner = coco_file()
    return [(owner.pictures / owner.picture(number)["file_name"]).read_bytes() for number in (1, 2)]


def test_two_pictures_of_one_name_are_both_kept(target, pictures):
    names = [target.picture(record(each), each, "coco") for each in (*pictures, *pictures)]
    assert names[0] == "images/coco/train/a.jpg"
    assert names[2:] == names[:2]
    assert [(target.folder / name).read_bytes() for name in names[:2]] == pictures
    assert target.files == 2


def test_a_name_that_leads_out_is_refused(target, pictures):
    with pytest.raises(InputFileError, match="expected a path below"):
        target.picture(record(pictures[0], "../a.jpg"), pictures[0], "coco")
    assert list(target.folder.iterdir()) == []


def test_the_ending_is_that_of_the_format(pictures):
    assert ending_of(pictures[0]) == "jpg"
    png = io.BytesIO()
    Image.open(io.BytesIO(pictures[0])).save(png, "PNG")
    assert ending_of(png.getvalue()) == "png"


def test_the_command(build, command_line, tmp_path):
    done = command_line("export", build, "--format", "coco", "--to", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "not in it: " in done.stdout
    assert done.stdout.splitlines()[-1].startswith("wrote ")
    assert json.loads((tmp_path / "out" / "export.json").read_bytes())["format"] == "coco"


def test_the_command_offers_every_format():
    assert tuple(FORMATS) == OFFERED
    for name, form in FORMATS.items():
        for coordinates in form.coordinates:
            words = ["export", "x", "--to", "y", "--format", name, "--coordinates", coordinates]
            assert make_parser().parse_known_args(words)[0].coordinates == coordinates


def test_coordinates_where_there_is_no_choice_are_refused(build, export):
    with pytest.raises(UsageError, match="goes with --format llamafactory or qwen"):
        export(build, format="llava", coordinates="pixels")


@pytest.mark.parametrize("name", FORMATS)
def test_splits_without_records_are_left_out(two_splits, run_build, export, name):
    root, splits = two_splits
    splits["val"].data["annotations"].clear()
    splits["val"].save()
    output = run_build(root, request={"label_set": "Things"})
    assert any(shard.split == "val" for shard in output.manifest().shards)
    written = export(output.folder, format=name)
    assert written.summary()["records"] == 3
    assert [path for path in written.listed() if "val" in path] == []
    if name == "llamafactory":
        info = json.loads((written.folder / "dataset_info.json").read_bytes())
        assert list(info) == ["coco_train"]
    with pytest.raises(UsageError, match="no records of val are here; there are: coco / train"):
        export(output.folder, format=name, split="val")


def test_lines_without_an_entry_are_an_empty_file(target):
    for form, content in ((LINES, b""), (LIST, b"[\n\n]\n")):
        write_file(target, f"none{form.suffix}", form, [])
        assert (target.folder / f"none{form.suffix}").read_bytes() == content

"""An annotation file that cannot be used as a whole: a clear error, if possible before a build.

A quick look finds nearly all faults. Those it cannot see reject the file, and the other split goes
on.
"""

import json

import pytest

from pipelines.output.finish import finish
from pipelines.output.reader import read_identity
from pipelines.runner.launch import LaunchOptions
from schemas.errors import BuildError, InputFileError, UsageError
from schemas.rejection import Kind

LABELS = {"label_set": "Things"}
LATE = b'{"images": [], "annotations": null, "categories": []}'  # only found by reading annotations


def without(name):
    def content(data):
        del data[name]
        return json.dumps(data).encode()

    return content


def replaced(name, value):
    return lambda data: json.dumps(data | {name: value}).encode()


BAD_FILES = {
    "truncated": (lambda data: json.dumps(data).encode()[:-200], "truncated"),
    "truncated, with NaN": (
        lambda data: (b'{"info": NaN, ' + json.dumps(data).encode()[1:])[:-200],
        "truncated",
    ),
    "empty": (lambda _: b"", r"\(0 bytes\)"),
    "not JSON": (lambda _: b"<html>404</html>", "malformed"),
    "JSON and more": (lambda data: json.dumps(data).encode() + b"}", "trailing"),
    "UTF-16 without a mark": (lambda data: json.dumps(data).encode("utf-16-le"), "malformed"),
    "a list": (lambda data: json.dumps(data["annotations"]).encode(), "is a list"),
    "a number": (lambda _: b"17", "Expected `object`"),
    "null": (lambda _: b"null", "Expected `object`"),
    "nested without end": (
        lambda _: b'{"info":' + b"[" * 200_000,
        "ends within a list",
    ),
    "without images": (without("images"), "missing required field `images`"),
    "without annotations": (without("annotations"), "missing required field `annotations`"),
    "without categories": (without("categories"), "missing required field `categories`"),
    "images by id": (replaced("images", {"1": {}}), r"`\$.images`"),
    "categories as text": (replaced("categories", "person"), r"`\$.categories`"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_is_unusable(two_splits, run_build, tmp_path, name):
    root, splits = two_splits
    content, fault = BAD_FILES[name]
    splits["train"].file.write_bytes(content(splits["train"].data))
    with pytest.raises(InputFileError) as caught:
        run_build(root, tmp_path / "output", request=LABELS)
    assert not (tmp_path / "output").exists()
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"{splits['train'].file} (")
    assert "Expected a JSON object with the lists images, annotations and categories" in line
    caught.match(fault)


def test_an_archive_is_named_as_one(two_splits, run_build):
    root, splits = two_splits
    splits["train"].file.write_bytes(b"PK\x03\x04" + bytes(50))
    with pytest.raises(InputFileError, match=f"{splits['train'].file} is a zip archive"):
        run_build(root, request=LABELS)


@pytest.mark.parametrize("parts", [1, 3])
def test_the_other_split_is_built_and_the_build_is_not_finished(
    two_splits, run_build, in_parts, output_of, tmp_path, parts
):
    root, splits = two_splits
    splits["train"].file.write_bytes(LATE)
    launch_options = in_parts if parts > 1 else LaunchOptions()
    with pytest.raises(BuildError, match=r"not a whole COCO annotation file: .*`\$.annotations`"):
        run_build(root, tmp_path / "output", request=LABELS, launch_options=launch_options)
    output = output_of(tmp_path / "output")
    assert output.regions().keys() == {"41", "42", "51", "52"}
    assert {row["split"] for row in output.rows()} == {"val"}
    assert output.rejected() == [("file", str(splits["train"].file), "unreadable_file")]
    assert output.ledger().sources["coco"]["val"]["read"]["file"].kept == 1
    assert not (output.folder / "manifest.json").exists()
    assert not (output.folder / "README.md").exists()


def test_every_unusable_file_is_named(two_splits, run_build, output_of, tmp_path):
    root, splits = two_splits
    for split in splits.values():
        split.file.write_bytes(b"[]")
    with pytest.raises(InputFileError) as caught:
        run_build(root, tmp_path / "output", request=LABELS, guard=False)
    named = [line.split(" (")[0] for line in str(caught.value).splitlines()]
    assert named == [str(split.file) for split in splits.values()]


def test_every_file_that_reading_finds_unusable_is_named(
    two_splits, run_build, output_of, tmp_path
):
    root, splits = two_splits
    for split in splits.values():
        split.file.write_bytes(LATE)
    with pytest.raises(BuildError) as caught:
        run_build(root, tmp_path / "output", request=LABELS, guard=False)
    named = [line.split(" (")[0] for line in str(caught.value).splitlines()]
    assert sorted(named) == sorted(str(split.file) for split in splits.values())
    ledger = output_of(tmp_path / "output").ledger()
    for split in splits:
        assert ledger.sources["coco"][split]["read"][Kind.FILE].rejected == {"unreadable_file": 1}


def test_a_file_set_right_is_built_after_all(two_splits, run_build, tmp_path):
    root, splits = two_splits
    splits["train"].file.write_bytes(LATE)
    with pytest.raises(BuildError):
        run_build(root, tmp_path / "output", request=LABELS)
    splits["train"].save()
    output = run_build(
        root, tmp_path / "output", request=LABELS, launch_options=LaunchOptions(rebuild=True)
    )
    assert output.images() == ["1", "2", "3", "4", "5"]
    assert output.rejected() == []


def test_bytes_that_are_no_text_spoil_one_item_only(coco_file, run_build):
    owner = coco_file().good()
    owner.picture(4, file_name="\N{SNOWMAN}.jpg")
    owner.region(41, 4)
    owner.save(ensure_ascii=False)
    bad = owner.file.read_bytes().replace("\N{SNOWMAN}".encode(), b"\xff\xfe")
    owner.file.write_bytes(bad)
    output = run_build(owner)
    assert output.images() == ["1", "2", "3"]
    assert ("image", "4", "malformed") in output.rejected()


def test_half_a_character_spoils_nothing_else(coco_file, run_build):
    owner = coco_file().good()
    owner.data["images"][0]["photographer"] = "\udc80 \\ud83d"
    owner.data["categories"][1]["name"] = "dog \ud83d \N{DOG FACE} \\ud83d"
    owner.data["categories"].append({"id": 5, "name": "\N{CAT FACE}"})
    owner.region(13, 1, category_id=5)
    owner.region(14, 1, category_id="\udfff")
    output = run_build(owner.save())
    assert output.rejected() == [("annotation", "14", "unknown_category")]
    assert output.regions()["11"]["category"] == "dog \ufffd \N{DOG FACE} \\ud83d"
    assert output.regions()["13"]["category"] == "\N{CAT FACE}"


def test_other_categories_than_cocos_need_a_name(two_splits, run_build, tmp_path):
    root, splits = two_splits
    with pytest.raises(InputFileError) as caught:
        run_build(root, tmp_path / "output")
    assert not (tmp_path / "output").exists()
    (line,) = str(caught.value).splitlines()
    named = f"{splits['train'].file}, {splits['val'].file}"
    assert line.startswith(f"{named}: the categories are not COCO's 80 (2 names,")
    assert "--label-set Custom-2" in line


def test_an_annotation_file_that_is_a_folder(two_splits, run_build, tmp_path):
    root, splits = two_splits
    splits["train"].file.unlink()
    splits["train"].file.mkdir()
    with pytest.raises(
        InputFileError, match=f"cannot read {splits['train'].file}: .*Is a directory"
    ):
        run_build(root, tmp_path / "output", request=LABELS)


def test_half_a_split_is_a_usage_error_that_says_what_is_missing(two_splits, run_build):
    root, splits = two_splits
    splits["train"].file.unlink()
    with pytest.raises(UsageError) as caught:
        run_build(root, request=LABELS)
    assert f"missing: {splits['train'].file}" in str(caught.value)
    assert "https://cocodataset.org/#download" in str(caught.value)


def test_an_absent_split_is_left_out(two_splits, run_build):
    root, splits = two_splits
    splits["train"].file.unlink()
    splits["train"].pictures.rename(root / "aside")
    output = run_build(root, request=LABELS)
    assert {row["split"] for row in output.rows()} == {"val"}


def test_nothing_to_keep_is_an_error(coco_file, run_build):
    owner = coco_file()
    owner.picture(1)
    with pytest.raises(BuildError, match=r"nothing was kept; .*_rejected says why, item by item"):
        run_build(owner.save())


@pytest.mark.parametrize("gone", [3, 4])
def test_most_pictures_missing_is_an_error_at_the_end(coco_file, run_build, gone):
    """For sources whose pictures no quick look counts."""
    owner = coco_file().good(*range(1, 7)).save()
    for number in range(1, gone + 1):
        (owner.pictures / f"{number}.jpg").unlink()
    output = str(run_build(owner).folder)
    identity = read_identity(output)
    assert identity is not None
    assert finish(output, identity).shards
    if gone == 3:
        assert finish(output, identity, allow_missing=False).shards
        return
    with pytest.raises(BuildError, match=r"^coco/train: missing: 4 of 6 pictures \(67%\), e\.g"):
        finish(output, identity, allow_missing=False)


def test_nothing_kept_is_told_with_the_commonest_reason_and_its_remedy(coco_file, run_build):
    owner = coco_file().good(1, 2, 3)
    for image in owner.data["images"]:
        image["file_name"] = f"/data/{image['file_name']}"
    with pytest.raises(BuildError) as caught:
        run_build(owner.save())
    assert str(caught.value).partition("Mostly: ")[2] == (
        "image image_unsafe_path 3, e.g. 1: file_name '/data/1.jpg', expected a path below the "
        "image folder; '1.jpg' is there: --coco-last-part goes by the last part of names"
    )
    output = run_build(owner, request={"last_part": True})
    assert len(output.regions()) == 6
    assert output.repaired() == {("image", "image_name_matched"): 3}

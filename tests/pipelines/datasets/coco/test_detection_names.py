"""What a detector's categories are called: names that do not fit are noticed."""

import json
from functools import partial

import pytest

from schemas.errors import BuildError, InputFileError, UsageError


def talk_about(file, number):
    name = f"{number:012d}.jpg"
    file.picture(name)
    file.record(name, f"<image>\nWhat of {number}?", "This.")


def lvis(samples):
    path = samples / "lvis" / "lvis_v1_train_cat_info.json"
    return json.loads(path.read_text("utf-8"))


def test_lvis_names_come_from_its_own_file(llava_file, detected, samples, boxes_in):
    talk_about(llava_file, 1)
    real = lvis(samples)
    for category in (1, 955, 1203):
        llava_file.detect(1, category, 0.9, (category % 50, 5, 30, 30))
    (llava_file.root / "lvis").mkdir()
    file = llava_file.root / "lvis" / "lvis_v1_val.json"
    file.write_text(json.dumps({"categories": real, "images": [], "annotations": []}))
    by_id = {category["id"]: category["name"] for category in real}
    shown = boxes_in(detected(llava_file, names="lvis"))[1]
    assert sorted(name for name, *_ in shown) == sorted(by_id[n] for n in (1, 955, 1203))


def test_lvis_names_that_are_nowhere_are_asked_for(llava_file, detected):
    talk_about(llava_file, 1)
    llava_file.detect(1, 1, 0.9)
    with pytest.raises(UsageError, match=r"lvis/lvis_v1_val\.json"):
        detected(llava_file, names="lvis")


@pytest.mark.parametrize("names", ["lvis", None])
def test_two_names_that_run_together_are_noticed(llava_file, detected, samples, names, boxes_in):
    """A list of LVIS' names was released with a comma missing: all that follow were wrong."""
    talk_about(llava_file, 1)
    llava_file.detect(1, 1203, 0.9)
    listed = "\n".join(category["name"] for category in lvis(samples))
    path, role = llava_file.root / "names.txt", "lvis_names" if names else "detection_names"
    path.write_text(listed)
    assert boxes_in(detected(llava_file, names, {role: str(path)}))[1][0][0] == "zucchini"
    path.write_text(listed.replace("shaver_(electric)\n", "shaver_(electric)"))
    with pytest.raises((BuildError, InputFileError), match=r"names\.txt"):
        detected(llava_file, names, {role: str(path)})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\n\nb\n", "line 2 is empty"),
        (b"\xfa\xfb", "UTF-8"),
        (b'{"categories": [{"id": 1}]}', "category"),
        (b'{"names": []}', "categories"),
        (b"", "line 1 is empty"),
    ],
)
def test_names_that_cannot_be_used(llava_file, detected, content, message):
    talk_about(llava_file, 1)
    llava_file.detect(1, 1, 0.9)
    path = llava_file.root / "names.txt"
    path.write_bytes(content)
    with pytest.raises(InputFileError, match=message):
        detected(llava_file, None, {"detection_names": str(path)})


def test_only_line_ends_part_names(llava_file, detected, boxes_in):
    """Other marks that Python takes for line ends would move all names that follow."""
    talk_about(llava_file, 1)
    llava_file.detect(1, 3, 0.9)
    path = llava_file.root / "names.txt"
    path.write_text("a\u2028b\r\nc\x0cd\x85\r\ne\r\n", encoding="utf-8", newline="")
    assert boxes_in(detected(llava_file, None, {"detection_names": str(path)}))[1][0][0] == "e"


def test_ids_counted_from_0_are_not_cocos(llava_file, detected):
    talk_about(llava_file, 1)
    llava_file.detect(1, 0, 0.9)
    with pytest.raises(BuildError, match="category_id 0 has no name"):
        detected(llava_file)


def test_detections_of_other_pictures_are_an_error(llava_file, detected):
    talk_about(llava_file, 1)
    llava_file.detect(2, 1, 0.9)
    with pytest.raises(BuildError, match="no image_id"):
        detected(llava_file)


def test_detections_need_names(llava_file, detected):
    talk_about(llava_file, 1)
    with pytest.raises(UsageError, match="--detection-names"):
        detected(llava_file, names=None)


@pytest.mark.parametrize("content", [b"", b"{}", b'[{"image_id": 1'])
def test_a_file_that_breaks_off_is_named(llava_file, detected, content):
    talk_about(llava_file, 1)
    llava_file.save()
    (llava_file.root / "broken.json").write_bytes(content)
    with pytest.raises(BuildError, match=r"broken\.json.*not a whole"):
        detected(llava_file, paths={"detections": str(llava_file.root / "broken.json")})


def test_the_command_line_names_detections(llava_file, command_line):
    talk_about(llava_file, 1)
    llava_file.detect(1, 1, 0.9)
    llava_file.save()
    build = partial(
        command_line, "build", "--sources", "llava", "--data-root", llava_file.root, "--dry-run"
    )
    out = llava_file.root / "out"
    given = f"llava={llava_file.root}/boxes.json"
    done = build("--output", out, "--detections", given, "--detection-names", "coco")
    assert done.returncode == 0, done.stderr
    for flags, message in (
        (("--detections", given), "--detection-names"),
        (("--detection-names", "coco"), "--detections"),
        (("--detections", "boxes.json"), "SOURCE=FILE"),
        (("--detections", given, "--detection-names", "gone.txt"), "gone.txt"),
        (("--no-box-share", "2"), "--no-box-share"),
    ):
        failed = build("--output", out, *flags)
        assert failed.returncode == 2
        assert message in failed.stderr


def test_cocos_ids_are_those_of_its_own_file(samples, llava_file, detected, boxes_in):
    file = samples / "coco" / "tinycoco" / "annotations" / "instances_train2017.json"
    real = {item["id"]: item["name"] for item in json.loads(file.read_text("utf-8"))["categories"]}
    assert len(real) == 80
    talk_about(llava_file, 1)
    for category in real:
        llava_file.detect(1, category, 0.9, (category, 0, 30, 30))
    names = {int(x0): name for name, _, x0, *_ in boxes_in(detected(llava_file))[1]}
    assert names == real

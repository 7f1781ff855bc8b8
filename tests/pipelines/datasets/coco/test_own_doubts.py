"""What is said at once of a user's own file: crowds, boxes that are shares, what stands twice."""

from typing import Any

import pytest

from pipelines.datasets.coco import glance
from pipelines.datasets.common import slices
from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.storage.files import FileStore
from schemas.errors import InputFileError, UsageError


def doubts(owner) -> str:
    plan = make_plan(Recipe(sources=(owner.save().request(),)), "", "/nowhere")
    return "\n".join(plan.doubts)


def brush(owner, number: int, picture: int) -> None:
    """Add an object as a labelling tool writes those drawn with a brush."""
    runs = [4 * 32 + 6, *[10, 22] * 19, 10]
    counts = [*runs, 48 * 32 - sum(runs)]
    segmentation = {"counts": counts, "size": [32, 48]}
    owner.region(number, picture, bbox=[4, 6, 20, 10], iscrowd=1, segmentation=segmentation)


def test_crowds_alone_end_the_build_before_it_begins(coco_file, run_build, tmp_path):
    owner = coco_file()
    owner.picture(1)
    brush(owner, 11, 1)
    brush(owner, 12, 1)
    with pytest.raises(InputFileError, match=r"all 2 annotations .* --coco-crowds objects"):
        run_build(owner.save(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_flag_takes_crowds_as_objects(coco_file, run_build):
    owner = coco_file()
    owner.picture(1)
    brush(owner, 11, 1)
    output = run_build(owner.save(), request={"crowds": "objects"})
    (region,) = output.regions().values()
    assert region["bbox"] == [4, 6, 24, 16]
    assert region["mask"] is not None
    assert (output.rejected(), output.repaired()) == ([], {})


def test_crowds_beside_objects_are_rejected_and_told(coco_file, run_build):
    owner = coco_file().good()
    brush(owner, 13, 1)
    assert "1 of 7 annotations are marked `iscrowd`" in doubts(owner)
    assert run_build(owner.save()).rejected() == [("annotation", "13", "crowd")]


def test_few_crowds_are_usual(coco_file):
    owner = coco_file().good(*range(1, 12))
    brush(owner, 13, 1)
    assert "iscrowd" not in doubts(owner)


def test_the_owners_own_crowds_stay_rejected(two_splits, run_build):
    root, splits = two_splits
    for item in splits["val"].data["annotations"]:
        item["iscrowd"] = 1
    splits["val"].save()
    output = run_build(root, request={"label_set": "Things"})
    assert sum(reason == "crowd" for _, _, reason in output.rejected()) == 4


@pytest.mark.parametrize("key", ["crowds", "frame"])
def test_flags_of_an_own_file_go_with_it_alone(two_splits, run_build, key):
    root, _ = two_splits
    stated: dict[str, Any] = {key: {"crowds": "objects", "frame": "upright"}[key]}
    with pytest.raises(UsageError, match=f"{key}.*only beside `annotations`"):
        run_build(root, request={"label_set": "Things", **stated})
    with pytest.raises(UsageError, match=key):
        make_plan(Recipe(sources=(SourceRequest(name="vcr", **stated),)), "", "/nowhere")


def test_boxes_that_are_shares_end_the_build(coco_file, run_build):
    owner = coco_file().good()
    for item in owner.data["annotations"]:
        item["bbox"] = [number / 50 for number in item["bbox"]]
    with pytest.raises(InputFileError, match="all 6 boxes lie between 0 and 1"):
        run_build(owner.save())
    owner.data["annotations"][0]["iscrowd"] = None  # read one by one
    with pytest.raises(InputFileError, match="all 6 boxes lie between 0 and 1"):
        run_build(owner.save())


def test_boxes_that_are_mostly_tiny_are_told(coco_file):
    owner = coco_file().good()
    assert doubts(owner) == ""
    for item in owner.data["annotations"][:4]:
        item["bbox"] = [number / 50 for number in item["bbox"]]
    assert "4 of 6 boxes are less than 2 pixels wide or high" in doubts(owner)


def test_boxes_and_pictures_that_stand_twice_are_told_and_kept(coco_file, run_build):
    owner = coco_file().good()
    owner.region(13, 1, bbox=owner.data["annotations"][0]["bbox"])
    owner.data["images"].append(owner.data["images"][0] | {"id": 9})
    owner.region(91, 9)
    lines = doubts(owner)
    assert "1 annotations have the picture, the category and the box of another" in lines
    assert "1 picture with several ids, e.g. 1.jpg" in lines
    assert len(run_build(owner.save()).regions()) == 8


def test_the_console_says_it_before_and_after_the_build(coco_file, command_line, tmp_path):
    owner = coco_file().good()
    brush(owner, 13, 1)
    owner.save()
    flags = ["--coco-annotations", owner.file, "--coco-images", owner.pictures]
    flags += ["--label-set", "Things", "--output", tmp_path / "out", "--no-guard"]
    done = command_line("build", "--sources", "coco", *flags)
    assert done.returncode == 0, done.stderr
    assert "annotations: " in done.stderr
    assert "marked `iscrowd`" in done.stdout
    done = command_line(
        "build", "--sources", "coco", *flags, "--coco-crowds", "objects", "--rebuild"
    )
    assert done.returncode == 0, done.stderr
    assert "iscrowd" not in done.stdout + done.stderr


@pytest.mark.parametrize("size", [1, 300, 10**6])
@pytest.mark.parametrize("odd", [{}, {"bbox": ["1", 2, 30, 40]}])
def test_a_large_file_is_looked_at_slice_by_slice(coco_file, monkeypatch, size, odd):
    owner = coco_file().good(*range(1, 9))
    brush(owner, 13, 1)
    owner.region(14, 2, bbox=[1, 1, 0.5, 30])
    owner.region(15, 2, bbox=[0, 0, 0.5, 1], note="}, {")
    owner.region(16, 2, **{"bbox": [0, 0, 0.5, 1]} | odd)
    plan = make_plan(Recipe(sources=(owner.save().request(),)), "", "/nowhere")
    at_once = glance.glimpse(plan.splits[0], FileStore())
    monkeypatch.setattr(slices, "SLICE_BYTES", size)
    large = glance.glimpse(plan.splits[0], FileStore())
    assert (at_once.indexed, large.indexed is None) == (None, size == 10**6)
    assert [bytes(image) for image in large.images] == [bytes(image) for image in at_once.images]
    assert _sums(large) == _sums(at_once)
    assert _sums(large)[:4] == (len(owner.data["annotations"]), 1, 2 if odd else 3, 1 if odd else 2)
    assert (len(large.annotations.hashes) > 1) == (size < 10**6)


@pytest.mark.parametrize("size", [1, 300])
def test_of_many_odd_annotations_a_sample_is_looked_at(coco_file, monkeypatch, size):
    owner = coco_file().good(*range(1, 9))
    owner.region(14, 2, bbox=["1", 1, 0.5, 30])
    plan = make_plan(Recipe(sources=(owner.save().request(),)), "", "/nowhere")
    monkeypatch.setattr(glance, "_LOOKED_AT", 6)
    at_once = glance.glimpse(plan.splits[0], FileStore())
    monkeypatch.setattr(slices, "SLICE_BYTES", size)
    large = glance.glimpse(plan.splits[0], FileStore())
    assert _sums(large) == _sums(at_once)
    number = len(owner.data["annotations"])
    assert large.annotations.number == -(-number // (number // 6 + 1)) < number


def _sums(file) -> tuple[int, int, int, int, list[int]]:
    summed = file.annotations
    hashes = sorted(int(number) for part in summed.hashes for number in part)
    return summed.number, summed.crowds, summed.tiny, summed.shares, hashes

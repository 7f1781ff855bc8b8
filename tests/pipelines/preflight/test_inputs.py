"""What a quick look at the inputs finds wrong ends a build before its pipeline starts."""

import json
import shutil

import pytest

from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.preflight import pictures
from pipelines.recipes.recipe import Recipe
from schemas.errors import InputFileError


@pytest.fixture
def refused(command_line, monkeypatch, tmp_path):
    """Runs a build that must end before its pipeline starts, and returns its error."""

    def launch(*_: object) -> None:
        raise AssertionError("the pipeline started")

    monkeypatch.setattr("pipelines.runner.launch.launch", launch)

    def run(*words: object) -> str:
        done = command_line("build", "--output", tmp_path / "output", *words)
        assert done.returncode in (1, 2)  # files that cannot be used, or that are not there
        assert not (tmp_path / "output").exists()
        errors = str(done.stderr).partition("error: ")[2]
        assert errors
        return errors

    return run


def copied(sample_world, tmp_path, name):
    """Return a data root with a copy of one folder of the sample world."""
    root = tmp_path / "root"
    shutil.copytree(sample_world / name, root / name, symlinks=True)
    return root


def planned(root, name="coco", *, allow_missing=False, **fields):
    request = SourceRequest(name=name, **fields)
    recipe = Recipe(sources=(request,), guard=False, allow_missing=allow_missing)
    return make_plan(recipe, str(root), "unused")


def test_other_categories_than_cocos(refused, two_splits):
    root, splits = two_splits
    (line,) = refused("--sources", "coco", "--data-root", root).splitlines()
    named = f"{splits['train'].file}, {splits['val'].file}"
    assert line.startswith(f"{named}: the categories are not COCO's 80 (2 names,")
    assert (
        "name them with --label-set Custom-2, beside other sources with --label-set coco=" in line
    )


def test_splits_with_other_categories_each_have_a_line(refused, two_splits):
    root, splits = two_splits
    splits["val"].data["categories"].append({"id": 4, "name": "cat"})
    splits["val"].save()
    lines = refused("--sources", "coco", "--data-root", root).splitlines()
    assert [line.partition("--label-set ")[2][:8] for line in lines] == ["Custom-2", "Custom-3"]


def test_other_categories_than_lvis(refused, sample_world):
    error = refused("--sources", "lvis", "--data-root", sample_world)
    files = [f"{sample_world}/lvis/lvis_v1_{split}.json" for split in ("train", "val")]
    assert f"{', '.join(files)}: the " in error
    assert "neither LVIS v1's 1,203 nor v0.5's 1,230" in error
    assert "--label-set Custom-15, beside other sources" in error


def test_a_name_makes_other_categories_right(two_splits):
    root, _ = two_splits
    assert len(planned(root, label_set="Things").splits) == 2


def test_visual_genome_without_a_folder_of_pictures(refused, sample_world, tmp_path):
    root = copied(sample_world, tmp_path, "visual_genome")
    for name in (folders := ("VG_100K", "VG_100K_2", "images")):
        shutil.rmtree(root / "visual_genome" / name, ignore_errors=True)
    error = refused("--sources", "visual_genome", "--data-root", root)
    expected = " or ".join(f"{root}/visual_genome/{name}" for name in folders)
    assert f"missing: {expected}. Get it from https://homes.cs.washington.edu" in error


def test_sources_says_that_folders_of_pictures_are_missing(command_line, sample_world, tmp_path):
    root = copied(sample_world, tmp_path, "visual_genome")
    words = ["sources", "visual_genome", "--data-root", root]
    state = f"images              {root}/visual_genome"
    assert f"found   {state}\n" in command_line(*words).stdout
    for name in ("VG_100K", "VG_100K_2"):
        shutil.rmtree(root / "visual_genome" / name, ignore_errors=True)
    assert f"missing {state}/VG_100K or " in command_line(*words).stdout


def test_one_folder_of_visual_genome_is_enough(sample_world, tmp_path, run_build):
    root = copied(sample_world, tmp_path, "visual_genome")
    folder = root / "visual_genome"
    shutil.rmtree(folder / "VG_100K_2", ignore_errors=True)
    (folder / "VG_100K").mkdir(exist_ok=True)
    there = sum(1 for _ in (folder / "VG_100K").iterdir())
    output = run_build(root, request={"name": "visual_genome"}, guard=False)
    assert 0 < len(set(output.images())) <= there


def test_pictures_that_are_missing_are_told_before_the_build(sample_world, tmp_path, command_line):
    root = copied(sample_world, tmp_path, "visual_genome")
    whole = command_line(
        *("build", "--sources", "visual_genome", "--data-root", root, "--dry-run"),
        *("--output", tmp_path / "output"),
    )
    assert "pictures are missing" not in whole.stderr
    shutil.rmtree(root / "visual_genome" / "VG_100K_2")
    plan = planned(root, "visual_genome", allow_missing=True, splits=("train",))
    images = json.loads((root / "visual_genome" / "image_data.json").read_text())
    gone = sum("VG_100K_2/" in image["url"] for image in images)
    (remark,) = plan.remarks
    assert f"visual_genome/train: about {gone / len(images):.0%} of its {len(images)} " in remark
    assert f", e.g. {root}/visual_genome/VG_100K" in remark
    part = command_line(
        *("build", "--sources", "visual_genome", "--data-root", root, "--dry-run"),
        *("--output", tmp_path / "output", "--allow-missing"),
    )
    assert part.returncode == 0
    assert "pictures: visual_genome/train: about " in part.stderr


def test_empty_folders_of_pictures(refused, sample_world, tmp_path):
    root = copied(sample_world, tmp_path, "visual_genome")
    for name in ("VG_100K", "VG_100K_2"):
        shutil.rmtree(root / "visual_genome" / name, ignore_errors=True)
        (root / "visual_genome" / name).mkdir()
    error = refused("--sources", "visual_genome", "--data-root", root)
    assert error.startswith(f"{root}/visual_genome/image_data.json: expected its ")
    assert f"pictures below {root}/visual_genome, and none is there, e.g. no {root}" in error
    assert "Get them from https://homes.cs.washington.edu" in error
    assert "--path visual_genome.images=DIR" in error


def test_pictures_one_level_deeper(refused, two_splits):
    root, splits = two_splits
    folder = splits["train"].pictures
    folder.rename(root / "aside")
    folder.mkdir()
    (root / "aside").rename(folder / "train2017")
    error = refused("--sources", "coco", "--label-set", "Things", "--data-root", root)
    assert error == (
        f"{splits['train'].file}: expected its 3 pictures below {folder}, and none is there, e.g. "
        f"no {folder}/1.jpg. They are below {folder}/train2017: give that folder with "
        f"--path coco.images={folder}/train2017.\n"
    )


@pytest.mark.parametrize("given", ["", "pictures/empty", "pictures/empty/deep", "other"])
def test_pictures_of_a_file_of_ones_own(refused, coco_file, given):
    owner = coco_file().good().save()
    root = owner.pictures.parent
    (root / "pictures/empty/deep").mkdir(parents=True)
    (root / "other").mkdir()
    words = ["--coco-annotations", owner.file, "--coco-images", root / given, "--label-set", "T"]
    error = refused("--sources", "coco", *words)
    assert f"They are below {owner.pictures}: give that folder with --coco-images " in error


def test_a_name_that_begins_with_the_folder_is_read(coco_file, monkeypatch):
    owner = coco_file().good()
    for image in owner.data["images"]:
        image["file_name"] = f"{owner.pictures.name}/{image['file_name']}"
    owner.save()
    monkeypatch.chdir(owner.pictures.parent)
    request = owner.request(images=owner.pictures.name)
    assert make_plan(Recipe(sources=(request,)), "", "unused").remarks == ()


def test_a_split_without_pictures_beside_one_with_pictures(two_splits):
    root, splits = two_splits
    for path in splits["val"].pictures.iterdir():
        path.unlink()
    with pytest.raises(InputFileError, match=f"{splits['val'].file}: expected its 2 pictures"):
        planned(root, label_set="Things")
    assert len(planned(root, allow_missing=True, label_set="Things").splits) == 2
    for path in splits["train"].pictures.iterdir():
        path.unlink()
    with pytest.raises(InputFileError) as caught:
        planned(root, allow_missing=True, label_set="Things")
    assert len(str(caught.value).splitlines()) == 2


def test_one_picture_of_many_is_enough(coco_file, monkeypatch):
    monkeypatch.setattr(pictures, "_SAMPLE", 5)
    owner = coco_file().good(*range(1, 21)).save()
    for number in set(range(1, 21)) - {2}:
        (owner.pictures / f"{number}.jpg").unlink()
    recipe = Recipe(sources=(owner.request(),), allow_missing=True)
    assert make_plan(recipe, "", "unused").splits
    (owner.pictures / "2.jpg").unlink()
    with pytest.raises(InputFileError, match="expected its 20 pictures"):
        make_plan(recipe, "", "unused")


@pytest.mark.parametrize("gone", [10, 11])
def test_more_than_half_of_the_pictures_missing(coco_file, gone):
    owner = coco_file().good(*range(1, 21)).save()
    for number in range(1, gone + 1):
        (owner.pictures / f"{number}.jpg").unlink()
    recipe = Recipe(sources=(owner.request(),))
    if gone == 10:
        (remark,) = make_plan(recipe, "", "unused").remarks
        assert "about 50% of its 20 pictures are missing" in remark
        return
    with pytest.raises(InputFileError) as caught:
        make_plan(recipe, "", "unused")
    assert str(caught.value) == (
        f"{owner.file}: missing below {owner.pictures}: 11 of its 20 pictures (55%), e.g. no "
        f"{owner.pictures}/1.jpg. Give the folder that holds them with --coco-images DIR. Or build "
        "from the rest with --allow-missing."
    )


@pytest.mark.parametrize("gone", [10, 20])
def test_a_name_of_a_missing_picture_may_be_long(coco_file, gone):
    owner = coco_file().good(*range(1, 21)).save()
    for image in owner.data["images"][:gone]:
        image["file_name"] = "a" * 5_000 + ".jpg"
    owner.save()
    recipe = Recipe(sources=(owner.request(),))
    if gone == 20:
        with pytest.raises(InputFileError, match="expected its 1 picture below") as caught:
            make_plan(recipe, "", "unused")
        message = str(caught.value)
    else:
        message = next(line for line in make_plan(recipe, "", "unused").remarks if "e.g." in line)
    assert "aaaa…" in message
    assert len(message) < 1_000 + 500


def test_nan_and_odd_items_do_not_hide_the_label_names(coco_file):
    owner = coco_file().good()
    owner.data["images"].append({"id": "?", "file_name": 7})
    owner.data["images"].append({"id": 9, "file_name": "../x.jpg", "width": 9, "height": 9})
    owner.region(99, 1, bbox=[float("nan")] * 4)
    owner.save()
    assert "NaN" in owner.file.read_text(encoding="utf-8")
    make_plan(Recipe(sources=(owner.request(),)), "", "unused")
    paths = {"train": str(owner.file), "images": str(owner.pictures)}
    with pytest.raises(InputFileError, match="the categories are not COCO's 80"):
        planned("", paths=paths)


def test_the_look_takes_the_same_names_as_the_parser(coco_file):
    owner = coco_file().good()
    owner.data["categories"] += [{"id": 5, "name": " "}, {"id": 6}, {"id": 3, "name": "cat"}]
    owner.save()
    json.loads(owner.file.read_bytes())
    paths = {"train": str(owner.file), "images": str(owner.pictures)}
    with pytest.raises(InputFileError, match=r"not COCO's 80 \(1 names, of which 1 are"):
        planned("", paths=paths)

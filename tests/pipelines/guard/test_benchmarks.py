"""The pictures of benchmarks of regions, real and drawn ones, by names of COCO and Objects365."""

import json
import shutil

import pytest
from PIL import Image

from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.runner.launch import LaunchOptions, launch
from schemas.errors import InputFileError

OBJECTS365 = {"objects365/1968981", "objects365/915597"}  # of the real samples
COCO = {"coco/99810", "coco/530099", "coco/511760"}


def own_file(root, *names):
    """A file of one's own in COCO's layout, with a box in each picture, and its request."""
    folder = root / "mine"
    folder.mkdir()
    images, boxes = [], []
    for number, name in enumerate(names, start=1):
        Image.new("RGB", (40, 30), "teal").save(folder / name)
        images.append({"id": number, "file_name": name, "width": 40, "height": 30})
        box = {"bbox": [2, 2, 9, 9], "area": 81.0, "iscrowd": 0}
        boxes.append({"id": number, "image_id": number, "category_id": 1} | box)
    content = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "lamp"}]}
    (root / "mine.json").write_text(json.dumps(content), encoding="utf-8")
    return SourceRequest(
        name="coco", annotations=str(root / "mine.json"), images=str(folder), label_set="Lamps"
    )


@pytest.fixture
def root(samples, tmp_path):
    """A data root with the real samples of both."""
    for name in ("dlc_bench", "gar_bench"):
        shutil.copytree(samples / "benchmarks" / name, tmp_path / name)
    return tmp_path


def test_real_pictures_of_both_stay_out_of_training(root, tmp_path_factory, output_of):
    names = ["objects365_v2_01968981.jpg", "objects365_v2_00000001.jpg", "000000530099.jpg"]
    recipe = Recipe(sources=(own_file(root, *names),))
    output = tmp_path_factory.mktemp("output")
    plan = make_plan(recipe, str(root), str(output))
    lists = {item.name: item for item in plan.guard.lists}
    assert (lists["dlc_bench"].pictures, lists["dlc_bench"].missing) == (2, "")
    assert (lists["gar_bench"].pictures, lists["gar_bench"].missing) == (4, "")
    assert lists["gar_bench"].note == (
        "without those of detailed, which it does not name; they are of coco_val2017"
    )
    assert plan.guard.forbidden.keys() == OBJECTS365 | COCO
    launch(plan, LaunchOptions())
    assert [row["image"]["path"] for row in output_of(output).rows()] == [names[1]]
    assert sorted(output_of(output).rejected()) == [
        ("image", "1", "evaluation_image"),
        ("image", "3", "evaluation_image"),
    ]


def test_drawn_pictures_are_those_that_the_files_name(sample_world, tmp_path):
    def read(name):
        return json.loads((sample_world / name).read_bytes())

    pictures = {
        "dlc_bench": {item["file_name"] for item in read("dlc_bench/annotations.json")["images"]},
        "gar_bench": {
            item["image_path"]
            for name in ("VQA", "Caption-Simple")
            for item in read(f"gar_bench/GAR-Bench-{name}.json")
        },
    }
    coco = SourceRequest(name="coco", label_set="Shapes-15")
    guard = make_plan(Recipe(sources=(coco,)), str(sample_world), str(tmp_path / "out")).guard
    lists = {item.name: item.pictures for item in guard.lists}
    assert {name: lists[name] for name in pictures} == {
        name: len(names) for name, names in pictures.items()
    }
    named = {f"objects365/{int(name[-12:-4])}" for name in pictures["dlc_bench"]}
    named |= {f"coco/{int(name[-16:-4])}" for name in pictures["gar_bench"]}
    assert named <= guard.forbidden.keys()


@pytest.mark.parametrize("name", ["dlc_bench/annotations.json", "gar_bench/GAR-Bench-VQA.json"])
def test_a_list_that_cannot_be_read_ends_the_build(root, name):
    request = own_file(root, "1.jpg")
    (root / name).write_bytes(b"[{")
    with pytest.raises(InputFileError, match=f"{name} .* leave the guard out with --no-guard"):
        make_plan(Recipe(sources=(request,)), str(root), str(root / "out"))


def test_files_elsewhere_are_read_from_there(root):
    request = own_file(root, "1.jpg")
    moved = root / "moved.json"
    (root / "gar_bench" / "GAR-Bench-VQA.json").rename(moved)
    recipe = Recipe(sources=(request,), guard_paths={"gar_bench": {"vqa": str(moved)}})
    guard = make_plan(recipe, str(root), str(root / "out")).guard
    assert {item.name: item.pictures for item in guard.lists}["gar_bench"] == 4

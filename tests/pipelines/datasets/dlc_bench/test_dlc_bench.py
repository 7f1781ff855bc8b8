"""DLC-Bench: the real sample beside a second reader, and spoilt files."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as rle

from pipelines.verify import verify
from schemas.errors import InputFileError, UsageError

FILES = ("annotations", "class_names", "qa")
AREA = 160.0
MASK = {"size": [48, 64], "counts": "Z<:V100000000000000000000000000000fk1"}  # 8,10 to 24,20
TINY = {
    "images": [{"id": 7, "file_name": "objects365_v2_00000007.jpg", "width": 64, "height": 48}],
    "annotations": [
        {"id": 901, "image_id": 7, "category_id": 3, "bbox": [8, 10, 16, 10], "area": AREA,
         "iscrowd": 0, "segmentation": MASK},
    ],
    "categories": [{"id": 3, "name": "Teapot"}],
    "licenses": [],
}  # fmt: skip


@pytest.fixture(scope="module")
def real(samples):
    return samples / "benchmarks"


@pytest.fixture(scope="module")
def output(real, tmp_path_factory, command_line, output_of):
    folder = tmp_path_factory.mktemp("output")
    words = ["build", "--recipe", "eval_dlc", "--data-root", real, "--output", folder]
    done = command_line(*words)
    assert done.returncode == 0, done.stderr
    return output_of(folder)


def test_every_real_region_is_asked_about(real, output):
    stated = {
        name: json.loads((real / "dlc_bench" / f"{name}.json").read_bytes()) for name in FILES
    }
    images = {image["id"]: image for image in stated["annotations"]["images"]}
    rows = {row["evaluation"][0]["item_id"]: row for row in output.rows()}
    assert rows.keys() == stated["class_names"].keys() == stated["qa"].keys()
    for region in stated["annotations"]["annotations"]:
        row, image = rows[str(region["id"])], images[region["image_id"]]
        name = stated["class_names"][str(region["id"])]
        picture = real / "dlc_bench" / "images" / image["file_name"]
        assert row["image"] == {"bytes": picture.read_bytes(), "path": image["file_name"]}
        (kept,) = row["regions"]
        x, y, width, height = region["bbox"]
        box = [x, y, min(x + width, image["width"]), min(y + height, image["height"])]
        assert kept["bbox"] == pytest.approx(box)
        assert kept["area"] == pytest.approx(region["area"])
        assert (kept["region_id"], kept["category"]) == (str(region["id"]), name)
        assert np.array_equal(rle.decode(kept["mask"]), rle.decode(region["segmentation"]))
        assert row["task"] == "region_detailed_caption"
        assert [turn["content"] for turn in row["messages"]] == [
            "<image>\nDescribe the region marked by <region1> in detail.",
            name,
        ]
        assert row["evaluation"] == [
            {"turn": 0, "position": 0, "item_id": str(region["id"]), "group": "test",
             "references": [name], "choices": [], "label": None},
        ]  # fmt: skip


def test_the_books_balance_and_the_output_is_sound(output):
    assert output.rejected() == []
    read = output.ledger().sources["dlc_bench"]["test"]["read"]
    assert {kind: (account.read, account.kept) for kind, account in read.items()} == {
        "file": (1, 1),
        "category": (3, 3),
        "image": (2, 2),
        "annotation": (3, 3),
    }
    assert verify(str(output.folder)).problems == []


def test_parts_change_nothing(real, build_source, in_parts):
    usual = build_source("dlc_bench", real, evaluation=True)
    parts = build_source("dlc_bench", real, evaluation=True, launch_options=in_parts)
    assert usual.digests() == parts.digests()
    assert usual.ledger() == parts.ledger()


@pytest.fixture
def root(real, tmp_path):
    """A root with the tiny file, whose picture has one colour."""
    folder = tmp_path / "dlc_bench"
    (folder / "images").mkdir(parents=True)
    Image.new("RGB", (64, 48), "teal").save(folder / "images" / "objects365_v2_00000007.jpg")
    write(tmp_path, TINY, {"901": "kettle"})
    return tmp_path


def write(root, annotations, names):
    for name, content in (("annotations", annotations), ("class_names", names)):
        (root / "dlc_bench" / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


def test_the_name_is_that_of_the_list_and_not_of_the_category(root, build_source):
    (row,) = build_source("dlc_bench", root, evaluation=True).rows()
    assert row["messages"][1]["content"] == "kettle"
    assert row["regions"][0]["bbox"] == [8, 10, 24, 20]
    assert rle.area(row["regions"][0]["mask"]) == AREA


def test_a_region_without_a_name_is_refused(root, build_source):
    another = TINY["annotations"][0] | {"id": 902}
    write(root, TINY | {"annotations": [*TINY["annotations"], another]}, {"901": "kettle"})
    output = build_source("dlc_bench", root, evaluation=True)
    assert output.rejected() == [("annotation", "902", "malformed")]
    assert len(output.rows()) == 1
    output.ledger()


def test_a_missing_picture_takes_its_regions_along(real, build_source, tmp_path):
    shutil.copytree(real / "dlc_bench", tmp_path / "dlc_bench")
    (tmp_path / "dlc_bench" / "images" / "objects365_v2_01968981.jpg").unlink()
    output = build_source("dlc_bench", tmp_path, evaluation=True)
    assert output.rejected() == [("image", "1968981", "image_missing")]
    assert output.with_image() == {"annotation": 2}
    assert [row["evaluation"][0]["item_id"] for row in output.rows()] == ["361105"]


@pytest.mark.parametrize("names", [[], {"901": 3}])
def test_another_list_of_names_is_refused(root, build_source, names):
    write(root, TINY, names)
    with pytest.raises(InputFileError, match=r"class_names\.json .*fetch class_names\.json again"):
        build_source("dlc_bench", root, evaluation=True)


def test_it_is_for_evaluation_only(root, build_source):
    with pytest.raises(UsageError, match="'dlc_bench' has no tasks in the regiongpt style"):
        build_source("dlc_bench", root)

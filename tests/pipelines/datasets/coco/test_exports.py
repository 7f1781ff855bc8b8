"""Exports of labelling tools, by each tool's documented format, go to shards as they lie.

Each export has two pictures and three boxes, which are written down by hand here.

Length: one export of each tool.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipelines.datasets.coco.exports import own_splits
from pipelines.datasets.spec import SourceRequest
from schemas.errors import UsageError

SIZE = (120, 80)
SQUARE, DISC = [10.0, 10.0, 40.0, 50.0], [60.0, 20.0, 50.0, 50.0]  # xywh
ROUND = [[60, 20, 110, 20, 110, 70, 60, 70]]
# The picture's number, the name of the category, and the corners of the box.
EXPECTED = [("1", "ball", [60, 20, 110, 70]), ("1", "box", [10, 10, 50, 60])]
EXPECTED += [("2", "box", [10, 10, 50, 60])]


def pictures(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.new("RGB", SIZE, (90 * number, 60, 30)).save(folder / name)


def written(path: Path, images: list[Any], annotations: list[Any], **lists: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = {"info": {}, "licenses": [], **lists, "images": images, "annotations": annotations}
    path.write_text(json.dumps(file), encoding="utf-8")
    return path


def boxes(first_id: int, image_ids: tuple[Any, Any], categories: tuple[int, int], **more: Any):
    """The three annotations: a square and a disc on the first picture, a square on the second."""
    shared = {"iscrowd": 0, "segmentation": [], "area": 2000.0} | more
    square = {"image_id": image_ids[0], "category_id": categories[0], "bbox": SQUARE}
    disc = {"image_id": image_ids[0], "category_id": categories[1], "bbox": DISC}
    items = [square, disc, square | {"image_id": image_ids[1]}]
    return [{"id": first_id + place, **shared, **item} for place, item in enumerate(items)]


def named(**more: Any) -> list[dict[str, Any]]:
    return [{"id": 1, "name": "box", **more}, {"id": 2, "name": "ball", **more}]


def roboflow(root: Path, split: str = "train") -> tuple[Path, Path]:
    names = ["1_jpg.rf.0a1b2c3d.jpg", "2_jpg.rf.4e5f6a7b.jpg"]
    pictures(root / split, *names)
    images = [
        {
            "id": place,
            "license": 1,
            "file_name": name,
            "height": SIZE[1],
            "width": SIZE[0],
            "date_captured": "2025-01-01T00:00:00+00:00",
            "extra": {"name": f"{place + 1}.jpg"},
        }
        for place, name in enumerate(names)
    ]
    file = written(
        root / split / "_annotations.coco.json",
        images,
        boxes(0, (0, 1), (1, 2)),
        info={"year": "2025", "version": "1", "contributor": "", "date_created": "2025-01-01"},
        licenses=[{"id": 1, "url": "https://host.example/by", "name": "CC BY 4.0"}],
        categories=[
            {"id": 0, "name": "toys-XyZ1", "supercategory": "none"},
            *named(supercategory="toys-XyZ1"),
        ],
    )
    return file, file.parent


def cvat(root: Path, subset: str = "default") -> tuple[Path, Path]:
    pictures(root / "images" / subset, "1.jpg", "2.jpg")
    images = [
        {
            "id": number,
            "width": SIZE[0],
            "height": SIZE[1],
            "file_name": f"{number}.jpg",
            "license": 0,
            "flickr_url": "",
            "coco_url": "",
            "date_captured": 0,
        }
        for number in (1, 2)
    ]
    attributes = {"occluded": False, "rotation": 0.0}
    file = written(
        root / "annotations" / f"instances_{subset}.json",
        images,
        boxes(1, (1, 2), (1, 2), segmentation=ROUND, attributes=attributes),
        licenses=[{"name": "", "id": 0, "url": ""}],
        categories=named(supercategory=""),
    )
    return file, root / "images" / subset


def label_studio(root: Path) -> tuple[Path, Path]:
    pictures(root / "images", "6f1c2d3e-1.jpg", "7a8b9c0d-2.jpg")
    names = ["images/6f1c2d3e-1.jpg", "images\\7a8b9c0d-2.jpg"]  # the second as on Windows
    file = written(
        root / "result.json",
        [{"width": 120, "height": 80, "id": n, "file_name": name} for n, name in enumerate(names)],
        boxes(0, (0, 1), (1, 0), ignore=0),
        categories=[{"id": 0, "name": "ball"}, {"id": 1, "name": "box"}],
        info={"year": 2025, "version": "1.0", "contributor": "Label Studio"},
    )
    return file, root / "images"


def ultralytics(root: Path) -> tuple[Path, Path]:
    pictures(root / "images" / "train2017", "000000000001.jpg", "000000000002.jpg")
    images = [
        {"id": n, "file_name": f"{n:012}.jpg", "width": 120, "height": 80, "license": 3}
        for n in (1, 2)
    ]
    file = written(
        root / "annotations" / "instances_train2017.json",
        images,
        boxes(1, (1, 2), (1, 2), segmentation=ROUND),
        categories=named(supercategory="toy"),
        licenses=[{"id": 3, "name": "CC BY-NC-ND 2.0", "url": "https://host.example/"}],
    )
    return file, root / "images" / "train2017"


def via(root: Path) -> tuple[Path, Path]:
    pictures(root, "1.jpg", "2.jpg")
    images = [
        {"id": n, "width": 120, "height": 80, "file_name": f"{n}.jpg", "license": 0} for n in (1, 2)
    ]
    flat = [60, 20, 110, 20, 110, 70, 60, 70]
    file = written(
        root / "via_export_coco.json",
        images,
        boxes(1, ("1", "2"), (1, 2), segmentation=flat),
        categories=named(supercategory="shape"),
        licenses=[{"id": 0, "name": "Unknown License", "url": ""}],
    )
    return file, root


def labelme(root: Path) -> tuple[Path, Path]:
    pictures(root / "JPEGImages", "1.jpg", "2.jpg")
    images = [
        {
            "license": 0,
            "url": None,
            "file_name": f"JPEGImages/{n}.jpg",
            "height": 80,
            "width": 120,
            "date_captured": None,
            "id": n - 1,
        }
        for n in (1, 2)
    ]
    file = written(
        root / "annotations.json",
        images,
        boxes(0, (0, 1), (1, 2), segmentation=ROUND),
        licenses=[{"url": None, "id": 0, "name": None}],
        categories=[
            {"supercategory": None, "id": 0, "name": "_background_"},
            *named(supercategory=None),
        ],
        type="instances",
    )
    return file, root / "JPEGImages"


TOOLS = [roboflow, cvat, label_studio, ultralytics, via, labelme]


def seen(output: Any) -> list[tuple[str, str, list[float]]]:
    """Every kept box, with the number in its picture's name."""
    return sorted(
        (
            row["image"]["path"].partition("_jpg")[0].partition(".")[0].lstrip("0")[-1:],
            region["category"],
            region["bbox"],
        )
        for row in output.rows()
        for region in row["regions"]
    )


def label_sets(output: Any) -> set[str]:
    """The sets of categories that the requests name."""
    texts = [turn["content"] for row in output.rows() for turn in row["messages"]]
    return {name for text in texts for name in re.findall(r"Custom-\d+|Toys", text)}


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.__name__)
def test_an_export_goes_to_shards(tool, tmp_path, command_line, output_of):
    file, folder = tool(tmp_path / "export")
    words = ["--coco-annotations", file, "--coco-images", folder]
    done = command_line("build", "--sources", "coco", *words, "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    output = output_of(tmp_path / "out")
    assert seen(output) == EXPECTED
    assert output.rejected() == []
    shown = "Custom-3" if tool in (roboflow, labelme) else "Custom-2"
    assert label_sets(output) == {shown}


@pytest.mark.parametrize("tool", [t for t in TOOLS if t is not via], ids=lambda tool: tool.__name__)
@pytest.mark.parametrize("given", ["folder", "file"])
def test_the_pictures_of_an_export_need_not_be_named(tool, given, tmp_path):
    file, folder = tool(tmp_path / "export")
    annotations = tmp_path / "export" if given == "folder" else file
    located = own_splits(SourceRequest(name="coco", annotations=str(annotations)))
    (split,) = located.values()
    assert (Path(split.annotations), Path(split.pictures)) == (file, folder)


def test_relative_paths_of_an_export(tmp_path, monkeypatch):
    cvat(tmp_path)
    label_studio(tmp_path)
    roboflow(tmp_path)
    for folder, file, expected in (
        ("annotations", "instances_default.json", "../images/default"),
        (".", "annotations/instances_default.json", "./images/default"),
        (".", "result.json", "./images"),
        ("train", "_annotations.coco.json", "."),
    ):
        monkeypatch.chdir(tmp_path / folder)
        (split,) = own_splits(SourceRequest(name="coco", annotations=file)).values()
        assert split.pictures == expected


def test_an_export_of_several_splits_in_one_output(tmp_path, command_line, output_of):
    for split in ("train", "valid"):
        roboflow(tmp_path / "export", split)
    words = ["--coco-annotations", tmp_path / "export", "--output", tmp_path / "out"]
    assert command_line("build", "--sources", "coco", *words).returncode == 0
    rows = output_of(tmp_path / "out").rows()
    assert {row["split"] for row in rows} == {"train", "valid"}
    assert seen(output_of(tmp_path / "out")) == sorted([*EXPECTED, *EXPECTED])
    assert command_line("verify", tmp_path / "out").returncode == 0


def test_splits_with_names_of_ones_own(tmp_path, command_line, output_of):
    words: list[object] = ["--label-set", "Toys"]
    for name, split in (("train", "train"), ("validation", "valid")):
        file, folder = roboflow(tmp_path / "export", split)
        words += ["--coco-annotations", f"{name}={file}", "--coco-images", f"{name}={folder}"]
    words += ["--output", tmp_path / "out"]
    assert command_line("build", "--sources", "coco", *words).returncode == 0
    output = output_of(tmp_path / "out")
    assert {row["split"] for row in output.rows()} == {"train", "validation"}
    assert label_sets(output) == {"Toys"}
    again = [*words[:4], "--output", tmp_path / "out"]
    refused = command_line("build", "--sources", "coco", *again[:2], *words[2:6], *again[-2:])
    assert refused.returncode == 1
    assert "Splits that belong into one output are given in one command." in refused.stderr


def test_subsets_of_one_folder(tmp_path):
    for subset in ("Train", "Test"):
        cvat(tmp_path, subset)
    located = own_splits(SourceRequest(name="coco", annotations=str(tmp_path)))
    assert {name: Path(split.pictures) for name, split in located.items()} == {
        "test": tmp_path / "images/Test",
        "train": tmp_path / "images/Train",
    }


REFUSED = [
    ({"annotations": "{root}/empty"}, "none that we know: expected train/_annotations"),
    ({"annotations": "{root}/boxes.json"}, "needs --coco-images DIR"),
    ({"annotations": "{root}/bxes.json"}, r"bxes\.json: there is no such file"),
    ({"annotations": {"a": "x"}, "images": {"b": "y"}}, "--coco-images is of b, and"),
    ({"annotations": {"a": "x"}, "images": "y", "split": "c"}, "--coco-split goes with one file"),
]


@pytest.mark.parametrize(("fields", "message"), REFUSED)
def test_what_no_layout_tells_is_asked_for(tmp_path, fields, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "boxes.json").touch()
    given = fields["annotations"]
    annotations = given.format(root=tmp_path) if isinstance(given, str) else given
    with pytest.raises(UsageError, match=message):
        own_splits(SourceRequest(name="coco", **{**fields, "annotations": annotations}))


FLAGS = [
    (["--coco-annotations", "a.json", "--coco-annotations", "b.json"], "say of which split"),
    (["--coco-annotations", "a=x", "--coco-annotations", "a=y"], "the split a is given twice"),
    (["--coco-images", "x"], "--coco-images goes with --coco-annotations FILE"),
    (["--coco-last-part"], "--coco-last-part: source 'coco': expected only beside"),
]


@pytest.mark.parametrize(("flags", "message"), FLAGS)
def test_flags_that_do_not_fit(command_line, tmp_path, flags, message):
    done = command_line("build", "--sources", "coco", *flags, "--output", tmp_path / "out")
    assert done.returncode == 2
    assert message in done.stderr

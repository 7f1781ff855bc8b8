"""LVIS: the real v0.5 sample beside a second reader; and version 1, drawn by us.

The second reader knows the format from its description and shares no code with ours.

Length: the reader serves the real sample and the drawn file.
"""

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from datasets import load_dataset
from PIL import Image

from pipelines.verify import verify
from schemas.errors import InputFileError, UsageError

PIXELS = 0.01
MAX_WORDS = 900  # of a conversation, unless a recipe states another number
CROWDED = 378_515  # the picture with 100 annotations; the next has 63
SIZE = (64, 48)  # width, height of a drawn picture; pixels


class SecondReader:
    """One file and COCO's folders of pictures, and what ought to become of the annotations."""

    def __init__(self, file: Path, coco: Path) -> None:
        content = json.loads(file.read_bytes())
        self.images = {image["id"]: image for image in content["images"]}
        self.names = {category["id"]: category["name"] for category in content["categories"]}
        self.pictures = {
            number: coco.joinpath(*image["coco_url"].split("/")[3:])
            for number, image in self.images.items()
        }
        there = {number for number, path in self.pictures.items() if path.exists()}
        self.kept = {
            str(item["id"]): item for item in content["annotations"] if item["image_id"] in there
        }
        self.described = {item["image_id"] for item in self.kept.values()}
        self.rejected = Counter(
            {
                ("image", "image_missing"): len(self.images) - len(there),
                ("image", "no_regions"): len(there - self.described),
            }
        )

    @staticmethod
    def box(annotation) -> list[float]:
        x, y, width, height = annotation["bbox"]
        return [x, y, x + width, y + height]


@pytest.fixture(scope="module")
def real_file(samples):
    return samples / "lvis" / "lvis_val_100.json"


@pytest.fixture(scope="module")
def few_pictures(samples, tmp_path_factory):
    """A data root with the two pictures that could be had."""
    root = tmp_path_factory.mktemp("lvis")
    (root / "coco").mkdir()
    (root / "coco" / "val2017").symlink_to(samples / "lvis" / "images" / "val2017")
    return root


@pytest.fixture(scope="module")
def all_pictures(samples, real_file, tmp_path_factory):
    """A data root with those two, and stand-ins of the stated sizes for all but every tenth."""
    root = tmp_path_factory.mktemp("lvis")
    folder = root / "coco" / "val2017"
    folder.mkdir(parents=True)
    for image in json.loads(real_file.read_bytes())["images"]:
        name = f"{image['id']:012}.jpg"
        real = samples / "lvis" / "images" / "val2017" / name
        if real.exists():
            (folder / name).symlink_to(real)
        elif image["id"] % 10:
            Image.new("RGB", (image["width"], image["height"])).save(folder / name)
    return root


@pytest.fixture(scope="module", params=["few_pictures", "all_pictures"])
def case(request, real_file, build_source):
    root = request.getfixturevalue(request.param)
    output = build_source("lvis", root, request={"paths": {"val": str(real_file)}})
    return SecondReader(real_file, root / "coco"), output


def test_the_same_regions_with_the_same_boxes_and_names(case):
    reader, output = case
    built = output.regions()
    assert built.keys() == reader.kept.keys()
    for region_id, region in built.items():
        annotation = reader.kept[region_id]
        assert region["bbox"] == pytest.approx(reader.box(annotation), abs=PIXELS, rel=0)
        assert region["area"] == np.float32(annotation["area"])
        assert region["category"] == reader.names[annotation["category_id"]]


def test_regions_lie_on_their_own_pictures(case):
    reader, output = case
    for row in output.rows():
        number = int(row["id"].split("/")[2])
        items = [reader.kept[region["region_id"]] for region in row["regions"]]
        assert {item["image_id"] for item in items} == {number}
        assert row["image"]["path"] == f"val2017/{number:012}.jpg"
        assert row["image"]["bytes"] == reader.pictures[number].read_bytes()
        image = reader.images[number]
        assert (row["width"], row["height"]) == (image["width"], image["height"])


def test_counts_agree_reason_by_reason(case):
    reader, output = case
    ledger = output.ledger()
    assert output.booked(ledger, "rejected") == +reader.rejected
    assert output.with_image()["annotation"] == 977 - len(reader.kept)
    assert not output.sampled_out()
    read = ledger.sources["lvis"]["val"]["read"]
    assert read["image"].read == len(reader.images) == 100
    assert read["annotation"].read == 977
    assert read["category"].read == len(reader.names) == 1_230


def test_answers_are_shown_names_and_the_label_set_is_named(case):
    _, output = case
    for row in output.rows():
        turns = [message["content"] for message in row["messages"]]
        assert turns[0].endswith("Answer the question using LVIS-1230 category names.")
        for question, answer in zip(turns[::2], turns[1::2], strict=True):
            (number,) = re.findall(r"<region(\d+)>", question)
            category = row["regions"][int(number) - 1]["category"]
            assert answer == category.replace("_", " ")


def test_the_output_is_sound_and_opens(case, tmp_path):
    _, output = case
    assert verify(str(output.folder)).problems == []
    loaded = load_dataset(str(output.folder), "lvis", cache_dir=str(tmp_path))
    assert loaded["val"].num_rows == len(output.rows())


def test_a_picture_has_a_second_conversation_where_one_is_too_long(case):
    reader, output = case
    words: dict[int, list[int]] = {}  # of the conversations of each picture
    for row in output.rows():
        spoken = " ".join(message["content"] for message in row["messages"])
        words.setdefault(int(row["id"].split("/")[2]), []).append(len(spoken.split()))
    assert words.keys() == reader.described
    cut = {number for number, lengths in words.items() if len(lengths) > 1}
    assert cut == {number for number, lengths in words.items() if sum(lengths) > MAX_WORDS}
    assert cut == ({CROWDED} & reader.described)
    assert max(max(lengths) for lengths in words.values()) <= MAX_WORDS


def test_parts_and_order_change_nothing(all_pictures, real_file, build_source, in_parts, tmp_path):
    content = json.loads(real_file.read_bytes())
    for name in ("images", "annotations", "categories"):
        content[name].reverse()
    turned = tmp_path / "turned.json"
    turned.write_text(json.dumps(content), encoding="utf-8")
    outputs = [
        build_source("lvis", all_pictures, request={"paths": {"val": str(file)}}, **options)
        for file, options in (
            (real_file, {}),
            (real_file, {"launch_options": in_parts}),
            (turned, {}),
        )
    ]
    assert len({json.dumps(output.digests()) for output in outputs}) == 1
    assert outputs[0].rejected() == outputs[1].rejected() == outputs[2].rejected()


class Owner:
    """A data root with both splits of version 1."""

    def __init__(self, root: Path, categories) -> None:
        self.root = root
        self.splits = {
            split: {"images": [], "annotations": [], "categories": categories, "licenses": []}
            for split in ("train", "val")
        }

    def picture(self, split, number, folder, **changes):
        """Draw a picture in one of COCO's folders, and add its item and a box."""
        path = self.root / "coco" / folder / f"{number:012}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SIZE).save(path)
        item = {
            "id": number,
            "coco_url": f"http://images.cocodataset.org/{folder}/{path.name}",
            "flickr_url": "http://farm1.staticflickr.com/1.jpg",
            "width": SIZE[0],
            "height": SIZE[1],
            "license": 1,
            "date_captured": "2013-11-19 20:30:17",
            "neg_category_ids": [3, 5],
            "not_exhaustive_category_ids": [2],
        }
        item |= changes
        self.splits[split]["images"].append(
            {key: value for key, value in item.items() if value is not None}
        )
        self.box(split, number * 10 + 1, number)

    def box(self, split, number, image, **changes):
        item = {
            "id": number,
            "image_id": image,
            "category_id": number % 1_203 + 1,
            "bbox": [4.25, 6.5, 20.0, 10.75],
            "area": 215.0,
            "segmentation": [[4.25, 6.5, 24.25, 6.5, 24.25, 17.25, 4.25, 17.25]],
        }
        self.splits[split]["annotations"].append(item | changes)

    def save(self) -> Path:
        (self.root / "lvis").mkdir()
        for split, content in self.splits.items():
            path = self.root / "lvis" / f"lvis_v1_{split}.json"
            path.write_text(json.dumps(content), encoding="utf-8")
        return self.root


@pytest.fixture
def owner(samples, tmp_path):
    """Two splits with the real categories of version 1; val has pictures of both folders."""
    real = json.loads((samples / "lvis" / "lvis_v1_train_cat_info.json").read_text("utf-8"))
    made = Owner(tmp_path / "root", real)
    made.picture("train", 1, "train2017")
    made.picture("val", 2, "val2017")
    made.picture("val", 3, "train2017")
    return made


def test_version_1_takes_folder_and_name_from_the_url(owner, build_source):
    output = build_source("lvis", owner.save())
    assert output.rejected() == []
    assert {(row["split"], row["image"]["path"]) for row in output.rows()} == {
        ("train", "train2017/000000000001.jpg"),
        ("val", "train2017/000000000003.jpg"),
        ("val", "val2017/000000000002.jpg"),
    }
    assert output.manifest().rows("lvis", "val") == 2
    for row in output.rows():
        assert "LVIS-1203" in row["messages"][0]["content"]


def test_nothing_is_said_of_what_is_absent(owner, build_source):
    output = build_source("lvis", owner.save())
    names = {category["id"]: category["name"] for category in owner.splits["val"]["categories"]}
    for row in output.rows():
        text = " ".join(message["content"] for message in row["messages"])
        assert not any(names[absent] in text for absent in (3, 5))


BAD = {
    "no url": ({"coco_url": None}, "malformed"),
    "a number for a url": ({"coco_url": 5}, "malformed"),
    "an empty url": ({"coco_url": ""}, "image_unsafe_path"),
    "a url that climbs": ({"coco_url": "http://x/../4.jpg"}, "image_unsafe_path"),
    "a url of no picture": ({"coco_url": "http://x/val2017/5.jpg"}, "image_missing"),
    "a url of another folder": ({"coco_url": "file:///etc/passwd"}, "image_missing"),
    "a width of letters": ({"width": "wide"}, "malformed"),
    "another width": ({"width": SIZE[0] + 1}, "image_size_mismatch"),
}


@pytest.mark.parametrize(("changes", "reason"), BAD.values(), ids=BAD)
def test_a_bad_image_is_rejected_alone(owner, build_source, changes, reason):
    owner.picture("val", 4, "val2017", **changes)
    output = build_source("lvis", owner.save())
    assert output.rejected() == [("image", "4", reason)]
    assert output.with_image()["annotation"] == 1
    assert output.images() == ["1", "2", "3"]
    output.ledger()


def test_bad_annotations_are_rejected_alone(owner, build_source):
    owner.box("val", 22, 2, bbox=[4, 6, 0, 10])
    owner.box("val", 23, 2, category_id=1_204)
    owner.box("val", 24, 99)
    output = build_source("lvis", owner.save())
    assert output.rejected() == [
        ("annotation", "22", "box_zero_area"),
        ("annotation", "23", "unknown_category"),
        ("annotation", "24", "unknown_image"),
    ]
    assert output.regions().keys() == {"11", "21", "31"}


def test_other_categories_need_a_name(owner, build_source):
    for content in owner.splits.values():
        content["categories"] = content["categories"][:500]
        for annotation in content["annotations"]:
            annotation["category_id"] = 7
    root = owner.save()
    with pytest.raises(InputFileError, match="500 category names are neither LVIS v1's 1,203 nor"):
        build_source("lvis", root)
    output = build_source("lvis", root, request={"label_set": "LVIS-500"})
    assert "LVIS-500" in output.rows()[0]["messages"][0]["content"]


def test_a_file_by_its_role(owner, build_source):
    root = owner.save()
    paths = {"train": str(root / "lvis" / "lvis_v1_val.json"), "images": str(root / "coco")}
    output = build_source("lvis", root / "elsewhere", request={"paths": paths})
    assert output.manifest().rows("lvis", "train") == 2
    with pytest.raises(UsageError, match="reads nothing that is called 'annotations'"):
        build_source("lvis", root, request={"paths": {"annotations": "x"}})


def test_without_any_folder_of_pictures_the_build_says_which_were_expected(owner, build_source):
    root = owner.save()
    (root / "empty").mkdir()
    with pytest.raises(UsageError, match=r"missing: .*/empty/train2017 or .*/empty/val2017"):
        build_source("lvis", root, request={"paths": {"images": str(root / "empty")}})

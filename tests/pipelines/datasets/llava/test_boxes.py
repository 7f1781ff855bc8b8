"""Boxes in LLaVA's pictures: a detector's, chosen by floors and caps, or COCO's own."""

import json
import random
from collections import Counter, defaultdict
from functools import partial
from typing import Any

import pytest

from pipelines.datasets.llava.layout import list_folders
from pipelines.storage.files import FileStore
from pipelines.verify import verify
from schemas.errors import BuildError

SIZE = (200, 100)  # width, height of a drawn picture; pixels
NAMES = {1: "person", 11: "fire hydrant", 13: "stop sign", 90: "toothbrush"}


def talk_about(file, number, draw=True):
    name = f"{number:012d}.jpg"
    if draw:
        file.picture(name)
    file.record(name, f"<image>\nWhat of {number}?", "This.")


def second_reader(items, names):
    """The rule, read anew: over 0.3, both sides over 2 %, 100 at most, else the first ten."""
    grouped = defaultdict(list)
    for item in items:
        grouped[item["image_id"]].append(item)
    boxes = {}
    for number, several in grouped.items():
        several.sort(key=lambda item: -item["score"])
        good = [
            item
            for item in several
            if item["score"] > 0.3
            and item["bbox"][2] > 0.02 * SIZE[0]
            and item["bbox"][3] > 0.02 * SIZE[1]
        ]
        boxes[number] = sorted(
            (names[item["category_id"]], item["score"], x, y, x + w, y + h)
            for item in (good[:100] or several[:10])
            for x, y, w, h in [item["bbox"]]
        )
    return boxes


@pytest.fixture
def busy(llava_file):
    """Pictures with many boxes, few, only weak ones, only thin ones, and none."""
    draw = random.Random(0)
    scores = [round(place / 1000, 3) for place in draw.sample(range(1, 1000), 400)]
    for number, (count, low, high) in enumerate(
        [(160, 0.31, 1), (7, 0, 1), (14, 0, 0.3), (3, 0, 0.3), (0, 0, 1)], start=1
    ):
        talk_about(llava_file, number)
        for score in [score for score in scores if low < score <= high][:count]:
            category = draw.choice([1, 11, 13, 90])
            box = (draw.randrange(90), draw.randrange(50), draw.randrange(3, 60), 10)
            llava_file.detect(number, category, score, box)
    llava_file.detect(2, 1, 0.3, (0, 0, 90, 90))
    llava_file.detect(2, 1, 0.999, (0, 0, 4, 90))
    llava_file.detect(2, 1, 0.998, (0, 0, 90, 2))
    llava_file.detect(77, 1, 0.9)
    return llava_file


def test_a_second_reader_chooses_the_same(busy, detected, in_parts, boxes_in):
    built = detected(busy)
    expected = second_reader(busy.detections, NAMES)
    shown = boxes_in(built)
    assert {number: shown[number] for number in (1, 2, 3, 4, 5)} == {
        number: expected.get(number, []) for number in (1, 2, 3, 4, 5)
    }
    assert [len(shown[number]) for number in (1, 3, 4, 5)] == [100, 10, 3, 0]
    assert verify(str(built.folder)).problems == []
    assert detected(busy, launch_options=in_parts).digests() == built.digests()
    read = built.ledger().sources["llava"]["train"]["read"]["annotation"]
    on_pictures = [item for item in busy.detections if item["image_id"] < 77]
    assert (read.read, read.kept) == (len(on_pictures), sum(map(len, shown.values())))
    assert read.sampled_out == read.read - read.kept


def test_order_decides_nothing(busy, detected):
    for place in range(20):
        busy.detect(3, 1, 0.2, (place, 0, 9, 9))  # ties
    before = detected(busy)
    busy.detections.reverse()
    assert detected(busy).digests() == before.digests()


def test_regions_are_declared_in_one_line(llava_file, detected):
    talk_about(llava_file, 1)
    llava_file.detect(1, 11, 0.9)
    llava_file.detect(1, 53, 0.8, (60, 10, 50, 40))
    for style, before in (
        ("gpt4roi", "The <image> provides an overview of the picture."),
        ("regiongpt", "<image>"),
    ):
        (row,) = detected(llava_file, style=style).rows()
        names = [region["category"] for region in row["regions"]]
        assert sorted(names) == ["apple", "fire hydrant"]
        shown = {"apple": "an apple", "fire hydrant": "a fire hydrant"}
        assert row["messages"][0]["content"] == (
            f"{before}\n<region1> may feature {shown[names[0]]}, "
            f"<region2> may feature {shown[names[1]]}\n"
            "What of 1?"
        )


def test_sizes_come_from_cocos_file_where_it_is_there(llava_file, detected, boxes_in):
    talk_about(llava_file, 1)
    llava_file.detect(1, 1, 0.9, (10, 10, 5, 30))
    images = [{"id": 1, "file_name": "x", "width": 300, "height": 100}]
    folder = llava_file.root / "coco" / "annotations"
    folder.mkdir()
    instances = {"images": images, "annotations": [], "categories": []}
    (folder / "instances_train2017.json").write_text(json.dumps(instances))
    with pytest.raises(BuildError):
        detected(llava_file)  # the picture has another size, so nothing is kept
    images[0]["width"] = SIZE[0]
    (folder / "instances_train2017.json").write_text(json.dumps(instances))
    assert boxes_in(detected(llava_file)) == {1: [("person", 0.9, 10, 10, 15, 40)]}


def test_bad_detections_go_and_their_neighbours_stay(llava_file, detected, boxes_in):
    talk_about(llava_file, 1)
    llava_file.detect(1, 1, 0.9)
    llava_file.detect(1, 1, 0.9)
    llava_file.detect(1, 1, 0.8, ("a", 1, 1, 1))
    llava_file.detect(1, 1, 0.7, (10, 10, 50, float("nan")))
    llava_file.detect(1, 1, None)
    llava_file.detect(1, 1, 0.5, (190, 90, 900, 900))
    llava_file.detect(1, 1, 0.4, (900, 900, 9, 9))
    llava_file.detections += [{"category_id": 1}, 7]
    built = detected(llava_file)
    assert boxes_in(built) == {
        1: [("person", 0.5, 190, 90, 200, 100), ("person", 0.9, 10, 10, 60, 50)]
    }
    assert Counter(reason for _, _, reason in built.rejected()) == {
        "duplicate": 1,
        "malformed": 5,
        "box_outside": 1,
    }
    assert verify(str(built.folder)).problems == []


def test_a_picture_that_cannot_be_measured_goes_alone(llava_file, detected, boxes_in):
    for number in (1, 2):
        talk_about(llava_file, number)
        llava_file.detect(number, 1, 0.9)
    (llava_file.root / "coco" / "train2017" / "000000000001.jpg").write_bytes(b"no picture")
    built = detected(llava_file)
    assert list(boxes_in(built)) == [2]
    assert [reason for _, _, reason in built.rejected()] == ["image_not_an_image"]
    assert built.with_image() == {"dialogue": 1}


def test_cocos_own_boxes_where_there_is_no_detector(
    samples, llava_file, build_source, in_parts, boxes_in
):
    tiny = samples / "coco" / "tinycoco"
    coco = llava_file.root / "coco"
    coco.mkdir()
    (coco / "annotations").symlink_to(tiny / "annotations")
    (coco / "train2017").symlink_to(tiny / "images" / "train2017")
    real = json.loads((tiny / "annotations" / "instances_train2017.json").read_text("utf-8"))
    for image in real["images"]:
        talk_about(llava_file, image["id"], draw=False)
    llava_file.save()
    build = partial(build_source, "llava", llava_file.root, no_box_share=0)
    built = build()
    names = {category["id"]: category["name"] for category in real["categories"]}
    expected: dict[int, list[Any]] = {image["id"]: [] for image in real["images"]}
    for item in real["annotations"]:
        if not item["iscrowd"]:
            x, y, w, h = item["bbox"]
            expected[item["image_id"]].append((names[item["category_id"]], 0, x, y, x + w, y + h))
    shown = boxes_in(built)
    assert shown.keys() == expected.keys()
    for number, several in expected.items():
        for region, (name, *corners) in zip(shown[number], sorted(several), strict=True):
            assert region[0] == name
            assert region[1:] == pytest.approx(corners, abs=0.01)
    crowds = sum(item["iscrowd"] for item in real["annotations"])
    assert Counter(reason for _, _, reason in built.rejected()) == Counter({"crowd": crowds})
    assert verify(str(built.folder)).problems == []
    assert build(launch_options=in_parts).digests() == built.digests()
    without = build_source("llava", llava_file.root, no_box_share=1)
    assert not any(row["regions"] for row in without.rows())
    half = [bool(row["regions"]) for row in build_source("llava", llava_file.root).rows()]
    assert 0 < sum(half) < len(half)


def test_only_folders_below_the_root_are_listed():
    class Listing(FileStore):
        def __init__(self) -> None:
            self.asked: list[str] = []

        def sizes(self, folder):
            self.asked.append(folder)
            return {"a.jpg": 5}

    store = Listing()
    paths = ["gqa/images/a.jpg", "../a.jpg", "/etc/a.jpg", "/a.jpg", "a/../../b/a.jpg"]
    assert list_folders(store, "/data", paths) == {"gqa/images/a.jpg": 5}
    assert store.asked == ["/data/gqa/images"]


@pytest.fixture
def annotated(llava_file, build_source):
    """Builds a `LlavaFile` with COCO's own boxes, from a file of the given items."""

    def build(images, annotations):
        llava_file.save()
        folder = llava_file.root / "coco" / "annotations"
        folder.mkdir(exist_ok=True)
        instances = {
            "images": images,
            "annotations": annotations,
            "categories": [{"id": 1, "name": "person"}],
        }
        (folder / "instances_train2017.json").write_text(json.dumps(instances))
        return build_source("llava", llava_file.root, no_box_share=0)

    return build


def test_annotations_of_coco_that_name_no_image_go_alone(llava_file, annotated, boxes_in):
    talk_about(llava_file, 1)
    good = {"id": 5, "image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 20]}
    without = [{key: good[key] for key in good if key != name} for name in ("id", "image_id")]
    built = annotated([], [*without, good])
    assert boxes_in(built) == {1: [("person", 0, 10, 10, 30, 30)] * 2}
    assert built.rejected() == [("annotation", "instances[1]", "malformed")]
    built.ledger()


def test_the_order_of_cocos_repeats_decides_nothing(llava_file, annotated):
    talk_about(llava_file, 1)
    images = [
        {"id": 1, "file_name": "x", "width": width, "height": SIZE[1]} for width in (SIZE[0], 300)
    ]
    corners = [[10, 10, 30, 10, 30, 30], [10, 10, 30, 10, 10, 30]]
    items = [
        {"id": 5, "image_id": 1, "category_id": 1, "bbox": [9, 9, 20, 20], "segmentation": [mask]}
        for mask in corners
    ]
    before = annotated(images, items)
    assert [row["width"] for row in before.rows()] == [SIZE[0]]
    assert annotated(images[::-1], items[::-1]).digests() == before.digests()

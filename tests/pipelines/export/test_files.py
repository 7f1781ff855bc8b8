"""Parquet, COCO and WebDataset: each is read back by a reader of its own."""

import json
import tarfile
from typing import IO, cast

import numpy as np
import pytest
from datasets import Image, load_dataset
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from pipelines.export import losses


def test_parquet_gives_the_records_with_their_pictures(build, export, records, tmp_path):
    written = export(build, format="parquet")
    assert written.summary()["lost"] == {}
    left = dict(records)
    for config in {record["source"] for record in records.values()}:
        data = load_dataset(str(written.folder), config, cache_dir=str(tmp_path))
        for split in data.values():
            first = split[0]
            if first["image"] is not None:
                assert first["image"].size == (first["width"], first["height"])
            for row in split.cast_column("image", Image(decode=False)):
                assert row == left.pop(row["id"])
    assert left == {}
    united = load_dataset(str(written.folder), cache_dir=str(tmp_path))
    assert sum(map(len, united.values())) == len(records)


def test_parquet_of_one_split_names_that_split_alone(build, export, tmp_path):
    written = export(build, format="parquet", config="coco", split="val")
    data = load_dataset(str(written.folder), "coco", cache_dir=str(tmp_path))
    assert list(data) == ["val"]


@pytest.fixture(scope="module")
def coco_export(build, export):
    return export(build, format="coco")


@pytest.mark.parametrize(
    "name", ["coco/train", "refcocog/train", "flickr30k/val", "visual_genome/train"]
)
def test_coco_gives_the_regions(coco_export, records, name):
    config, split = name.split("/")
    coco = COCO(coco_export.folder / "annotations" / f"instances_{config}_{split}.json")
    expected, unclassified = {}, set()
    for record in records.values():
        if not record["id"].startswith(f"{name}/") or record["image"] is None:
            continue
        picture = f"images/{name}/{record['image']['path']}"
        for region in record["regions"]:
            key = picture, region["region_id"], region["category"], tuple(region["bbox"])
            if region["category"] is None:
                unclassified.add(key)
            else:
                expected[key] = record, region
    annotations = list(coco.anns.values())
    assert len(annotations) == len(expected)
    for key, (record, region) in expected.items():
        (annotation,) = (
            item
            for item in annotations
            if item["region_id"] == region["region_id"]
            and coco.imgs[item["image_id"]]["file_name"] == key[0]
            and coco.cats[item["category_id"]]["name"] == region["category"]
        )
        x, y, width, height = annotation["bbox"]
        assert [x, y, x + width, y + height] == pytest.approx(region["bbox"], abs=0.5)
        image = coco.imgs[annotation["image_id"]]
        assert (image["width"], image["height"]) == (record["width"], record["height"])
        licences = {item["id"]: item["name"] for item in coco.dataset["licenses"]}
        assert licences[image["license"]] == record["licence"]
        content = (coco_export.folder / image["file_name"]).read_bytes()
        assert content == record["image"]["bytes"]
        if region["mask"]:
            pixels = coco_mask.decode(region["mask"])
            assert np.array_equal(coco.annToMask(annotation), pixels)
        if region["area"] is not None:
            assert annotation["area"] == region["area"]


def test_coco_counts_what_it_leaves_out(coco_export, records):
    lost = coco_export.summary()["lost"]
    assert lost[losses.MESSAGES] == sum(len(record["messages"]) for record in records.values())
    nameless = {
        (record["id"].rsplit("/", 2)[0], region["region_id"], *region["bbox"])
        for record in records.values()
        for region in record["regions"]
        if region["category"] is None
    }
    assert lost[losses.UNCLASSIFIED] == len(nameless) > 0


@pytest.fixture(scope="module")
def tars(build, export):
    return export(build, format="webdataset")


def test_webdataset_gives_the_records(tars, records, tmp_path):
    assert tars.summary()["lost"] == {}
    names = str(tars.folder / "refcocog" / "train-*.tar")
    data = load_dataset("webdataset", data_files=names, split="train", cache_dir=str(tmp_path))
    wanted = {i: record for i, record in records.items() if i.startswith("refcocog/train/")}
    assert len(data) == len(wanted) > 0
    for row in data:
        record = wanted.pop(row["json"]["id"])
        assert row["jpg"].size == (record["width"], record["height"])
        for region, stored in zip(row["json"]["regions"], record["regions"], strict=True):
            assert region["bbox"] == stored["bbox"]
            assert region["mask"] == stored["mask"]
        assert row["json"]["file_name"] == record["image"]["path"]


def test_tar_files_hold_every_record_once(tars, records):
    left = dict(records)
    for path in tars.folder.glob("*/*.tar"):
        with tarfile.open(path) as tar:
            members = {each.name: cast("IO[bytes]", tar.extractfile(each)).read() for each in tar}
        for name, content in members.items():
            assert name.count(".") == 1
            if name.endswith(".json"):
                stored = json.loads(content)
                record = left.pop(stored.pop("id"))
                stored.pop("file_name", None)
                assert stored == {k: v for k, v in record.items() if k not in ("id", "image")}
                pictures = [
                    other
                    for key, other in members.items()
                    if key.partition(".")[0] == name.partition(".")[0] and key != name
                ]
                assert pictures == ([record["image"]["bytes"]] if record["image"] else [])
    assert left == {}

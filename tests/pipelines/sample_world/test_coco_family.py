"""The sample world's LVIS and RefCOCO beside real files: keys, types, and what is wrong in them."""

import json
import pickle
import pickletools
import re
from collections import Counter

import pytest


def read(path):
    return json.loads(path.read_bytes())


def keys_of(records) -> set[tuple[str, ...]]:
    return {tuple(sorted(record)) for record in records}


def types_of(record) -> dict[str, type]:
    return {key: type(value) for key, value in record.items()}


def test_lvis(sample_world):
    train, val = (read(sample_world / "lvis" / f"lvis_v1_{name}.json") for name in ("train", "val"))
    coco = read(sample_world / "coco" / "annotations" / "instances_train2017.json")
    for file in (train, val):
        (keys,) = keys_of(file["images"])
        assert {"coco_url", "neg_category_ids", "not_exhaustive_category_ids"} < set(keys)
        assert "file_name" not in keys
        (keys,) = keys_of(file["annotations"])
        assert set(keys) == {"id", "image_id", "category_id", "bbox", "area", "segmentation"}
        assert [category["id"] for category in file["categories"]] == list(range(1, 16))
        names = [category["name"] for category in file["categories"]]
        assert names == sorted(names)
        boxed = {(a["image_id"], a["category_id"]) for a in file["annotations"]}
        for image in file["images"]:
            absent = {(image["id"], number) for number in image["neg_category_ids"]}
            assert absent
            assert not absent & boxed
    assert any("_(" in name for name in names)
    folders = {image["coco_url"].split("/")[-2] for image in val["images"]}
    assert folders == {"train2017", "val2017"}
    assert not {i["id"] for i in train["images"]} & {i["id"] for i in val["images"]}
    annotated = {a["image_id"] for a in train["annotations"]}
    assert any(image["id"] not in annotated for image in train["images"])
    crowds = {a["image_id"] for a in coco["annotations"] if a["iscrowd"]}
    partial = {i["id"] for i in train["images"] if i["not_exhaustive_category_ids"]}
    assert partial == crowds & {image["id"] for image in train["images"]}
    boxes: dict[int, Counter[tuple[float, ...]]]
    boxes = {image["id"]: Counter() for image in train["images"]}
    for annotation in coco["annotations"]:
        if annotation["image_id"] in boxes and not annotation["iscrowd"] and annotation["bbox"][3]:
            boxes[annotation["image_id"]][tuple(annotation["bbox"])] += 1
    for annotation in train["annotations"]:
        boxes[annotation["image_id"]][tuple(annotation["bbox"])] -= 1
    assert not any(count for counter in boxes.values() for count in counter.values())


def test_lvis_has_the_keys_of_the_real_file(sample_world, samples):
    real = read(samples / "lvis" / "lvis_val_100.json")
    ours = read(sample_world / "lvis" / "lvis_v1_val.json")
    assert set(ours) == set(real)
    assert set(ours["images"][0]) == set(real["images"][0]) - {"file_name"}
    for key in ("annotations", "categories"):
        assert keys_of(ours[key]) == keys_of(real[key])


REFS = {"refcoco": "unc", "refcoco+": "unc", "refcocog": "umd"}


@pytest.mark.parametrize("name", REFS)
def test_refs(sample_world, name):
    text = (sample_world / name / f"refs({REFS[name]}).p").read_bytes()
    assert not [code.name for code, _, _ in pickletools.genops(text) if code.proto > 0]
    assert {"STRING", "GET"} <= {code.name for code, _, _ in pickletools.genops(text)}
    refs, instances = pickle.loads(text), read(sample_world / name / "instances.json")
    annotations = {annotation["id"]: annotation for annotation in instances["annotations"]}
    images = {image["id"]: image for image in instances["images"]}
    expected = (
        {"train", "val", "test"} if name == "refcocog" else {"train", "val", "testA", "testB"}
    )
    assert {ref["split"] for ref in refs} == expected
    splits = {(ref["image_id"], ref["split"]) for ref in refs}
    assert len(splits) == len(images)  # the splits share no picture
    sent_ids = [number for ref in refs for number in ref["sent_ids"]]
    assert len(set(sent_ids)) == len(sent_ids)
    assert len({ref["ref_id"] for ref in refs}) == len(refs)
    assert [ref["ref_id"] for ref in refs] != sorted(ref["ref_id"] for ref in refs)
    for ref in refs:
        annotation, stem = annotations[ref["ann_id"]], images[ref["image_id"]]["file_name"][:-4]
        assert (annotation["image_id"], annotation["category_id"]) == (
            ref["image_id"],
            ref["category_id"],
        )
        assert not annotation["iscrowd"]
        ending = ref["file_name"].removeprefix(f"{stem}_").removesuffix(".jpg")
        assert (int(ending) == ref["ann_id"]) == (name == "refcocog")
        assert [sentence["sent_id"] for sentence in ref["sentences"]] == ref["sent_ids"]
        for sentence in ref["sentences"]:
            assert sentence["sent"].split(" ") == sentence["tokens"]
            assert sentence["sent"] == sentence["sent"].lower()
    assert sum(len({s["sent"].lower() for s in r["sentences"]}) < len(r["sentences"]) for r in refs)
    everything = [sentence for ref in refs for sentence in ref["sentences"]]
    assert any(sentence["raw"] != sentence["sent"] for sentence in everything)
    assert any(not s["sent"].isascii() for s in everything) == (name == "refcocog")
    placed = re.compile(r"\b(left|right|top|bottom|middle)\b")
    assert any(placed.search(s["sent"]) for s in everything) == (name != "refcoco+")


def test_refs_have_the_keys_of_real_ones(sample_world, samples):
    real = read(samples / "refcoco" / "tfds_ref_coco_subset.json")["ref"][0]
    added = {"dataset", "dataset_partition", "ann"}  # by the sample's own repository
    for name, split_by in REFS.items():
        refs = pickle.loads((sample_world / name / f"refs({split_by}).p").read_bytes())
        expected = {key: kind for key, kind in types_of(real).items() if key not in added}
        assert all(types_of(ref) == expected for ref in refs)
        sentences = [sentence for ref in refs for sentence in ref["sentences"]]
        assert all(types_of(each) == types_of(real["sentences"][0]) for each in sentences)

"""The sample world's V3Det and LLaVA beside real files: keys, types, and what is wrong in them."""

import json
from collections import Counter

from PIL import Image


def read(path):
    return json.loads(path.read_bytes())


def types_of(record) -> dict[str, type]:
    return {key: type(value) for key, value in record.items()}


def test_v3det(sample_world):
    folder = sample_world / "v3det"
    names = (folder / "annotations" / "category_name_13204_v3det_2023_v1.txt").read_text("utf-8")
    missing = 0
    for split, oddities in (("train", {"L": 1, "turned": 1}), ("val", {"L": 0, "turned": 0})):
        file = read(folder / "annotations" / f"v3det_2023_v1_{split}.json")
        seen: Counter[str] = Counter()
        assert set(file) == {"images", "annotations", "categories"}
        for image in file["images"]:
            assert image["file_name"].startswith("images/n")
            if not (folder / image["file_name"]).exists():
                missing += 1
                continue
            with Image.open(folder / image["file_name"]) as picture:
                assert picture.size == (image["width"], image["height"])
                seen["L"] += picture.mode == "L"
                seen["turned"] += picture.getexif().get(0x0112) == 6
        assert {key: seen[key] for key in oddities} == oddities
        images = {image["id"]: image for image in file["images"]}
        for annotation in file["annotations"]:
            assert set(annotation) == {"image_id", "category_id", "bbox", "iscrowd", "area"}
            image, (x, y, width, height) = images[annotation["image_id"]], annotation["bbox"]
            assert x >= 0
            assert y >= 0
            assert x + width <= image["width"] + 0.005
            assert y + height <= image["height"] + 0.005
            assert annotation["area"] == round(width * height, 2)
        listed = [category["name"] for category in file["categories"]]
        assert [category["id"] for category in file["categories"]] == list(range(1, 167))
        assert sum(one != other for one, other in zip(listed, names.split("\n"), strict=False)) == 1
        assert len(names.splitlines()) == len(listed) == len(set(listed)) + 1
        assert {type(category["cat_info"]) for category in file["categories"]} == {str, list}
        annotated = {annotation["image_id"] for annotation in file["annotations"]}
        assert (split == "val") == (annotated == set(images))
        assert any(annotation["iscrowd"] for annotation in file["annotations"]) == (
            split == "train"
        )
    assert missing == 2


def test_v3dets_categories_have_the_real_names(sample_world, samples):
    real = read(samples / "v3det" / "v3det_2023_v1_train_cat_info.json")[0]
    file = read(sample_world / "v3det" / "annotations" / "v3det_2023_v1_train.json")
    counted = {"image_count", "instance_count"}  # of that metadata file only
    assert set(real) - counted <= set(file["categories"][0])


def test_llava(sample_world):
    pictures = {path.name for path in (sample_world / "coco" / "train2017").iterdir()}
    instruct = read(sample_world / "llava" / "llava_instruct_150k.json")
    mix = read(sample_world / "llava" / "llava_v1_5_mix665k.json")
    assert {record["image"] for record in instruct} == pictures
    assert max(Counter(record["id"] for record in instruct).values()) == 3
    without = [record for record in mix if "image" not in record]
    assert len(without) > 4
    folders = Counter(r["image"].rsplit("/", 1)[0] for r in mix if "image" in r)
    assert set(folders) == {
        "coco/train2017", "vg/VG_100K", "vg/VG_100K_2",
        "gqa/images", "textvqa/train_images", "ocr_vqa/images",
    }  # fmt: skip
    there = {}
    for record in mix:
        name = record.get("image", "")
        path = sample_world / name.replace("vg/", "visual_genome/")
        if name and path.exists():
            there[name] = path.read_bytes()[:3]
    assert folders.total() - len(there) == 1
    assert Counter(there.values()).keys() == {b"\xff\xd8\xff", b"GIF", b""}
    for record in [*instruct, *mix]:
        said = record["conversations"]
        assert [turn["from"] for turn in said] == ["human", "gpt"] * (len(said) // 2)
        marks = ["<image>" in turn["value"] for turn in said]
        assert marks == ["image" in record] + [False] * (len(said) - 1)
        first = said[0]["value"]
        assert not any(marks) or first.startswith("<image>\n") or first.endswith("\n<image>")


def test_llava_has_the_keys_of_a_real_record(sample_world, samples):
    (real,) = read(samples / "llava_instruct" / "mix665k_first_record.json")
    for record in read(sample_world / "llava" / "llava_instruct_150k.json"):
        assert types_of(record) == types_of(real)
        assert types_of(record["conversations"][0]) == types_of(real["conversations"][0])


def test_llava_pretrain(sample_world):
    folder = sample_world / "llava_pretrain"
    modes: Counter[str] = Counter()
    ends: Counter[bool] = Counter()
    for record in read(folder / "blip_laion_cc_sbu_558k.json"):
        path = folder / "images" / record["image"]
        with Image.open(path) as picture:
            assert min(picture.size) == 336
            modes[picture.mode] += 1
        assert path.stem == record["id"]
        assert path.parent.name == record["id"][:5]
        request, caption = record["conversations"]
        ends[request["value"].startswith("<image>\n")] += 1
        assert request["value"].count("<image>") == 1
        assert caption["value"] == caption["value"].lower()
        assert "." not in caption["value"]
    assert modes == {"RGB": 23, "L": 1}
    assert min(ends.values()) > 4


def test_llava_pretrain_has_the_keys_of_real_records(sample_world, samples):
    real = read(samples / "llava_pretrain" / "blip_laion_cc_sbu_subset.json")[0]
    for record in read(sample_world / "llava_pretrain" / "blip_laion_cc_sbu_558k.json"):
        assert types_of(record) == types_of(real)
        assert [turn["from"] for turn in record["conversations"]] == ["human", "gpt"]

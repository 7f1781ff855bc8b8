"""Names by which other data sets know a picture, as each data set declares them."""

import json

import pytest

from pipelines.datasets.catalog import dataset
from pipelines.datasets.common.picture_names import coco_file_name

NAMES = [
    ("coco", "139", "000000000139.jpg", "coco/139"),
    ("coco", "139", "COCO_val2014_000000000139.jpg", "coco/139"),
    ("coco", "7", "train2017/000000581929.jpg", "coco/581929"),  # a user's own, by COCO's names
    ("coco", "139", "139.jpg", None),  # a user's own, by another
    ("coco", "139", "0000000000139.jpg", None),
    ("coco", "139", "COCO_val2014_000000000139_3.jpg", None),
    ("coco", "9", "v2/patch16/objects365_v2_01968981.jpg", "objects365/1968981"),  # a user's own
    ("coco", "9", "objects365_v2_1968981.jpg", None),
    ("dlc_bench", "9", "objects365_v2_01968981.jpg", "objects365/1968981"),
    ("gar_bench", "vqa_0", "vqa_0.png", None),
    ("lvis", "196141", "val2017/000000196141.jpg", "coco/196141"),
    ("refcoco", "460986", "train2014/COCO_train2014_000000460986.jpg", "coco/460986"),
    ("refcoco_plus", "460986", "train2017/000000460986.jpg", "coco/460986"),
    ("refcocog", "460986", "val2014/COCO_val2014_000000460986.jpg", "coco/460986"),
    ("visual_genome", "2412112", "VG_100K/2370463.jpg", "visual_genome/2412112"),
    ("flickr30k", "1000092795", "1000092795.jpg", "flickr/1000092795"),
    ("flickr30k", "36979", "36979.jpg", "flickr/36979"),
    ("v3det", "1", "images/Q41776484/26_348_21579770642_8177a7874d_c.jpg", "flickr/21579770642"),
    ("v3det", "1", "test/6_857_512838_4285585987.jpg", "flickr/512838"),
    ("v3det", "1", "images/n00000003/7_320_0003.jpg", None),
    ("llava", "x", "coco/train2017/000000033471.jpg", "coco/33471"),
    ("llava", "x", "coco/train2017/33471.jpg", "coco/33471"),
    ("llava", "x", "visual_genome/VG_100K_2/2370463.jpg", "visual_genome/2370463.jpg"),
    ("llava", "x", "gqa/images/2370463.jpg", "visual_genome/2370463"),
    ("llava", "x", "gqa/images/n161313.jpg", None),
    ("llava", "x", "ocr_vqa/images/0142.jpg", None),
    ("llava", "x", "textvqa/train_images/00f1a2.jpg", None),
    ("llava", "text0", None, None),
    ("pope", "139", "COCO_val2014_000000000139.jpg", "coco/139"),
    ("llava_pretrain", "00001/000010447.jpg", "00001/000010447.jpg", None),
    ("vcr", "lsmdc_1/1@2.jpg", "lsmdc_1/1@2.jpg", None),
]


@pytest.mark.parametrize(("owner", "image_id", "path", "name"), NAMES)
def test_names_of_pictures(make_image, owner, image_id, path, name):
    image = make_image(source="any", image_id=image_id, file_name=path)
    assert dataset(owner).picture_name(image) == name


def test_real_names_of_v3det_tell_the_photo(samples, make_image):
    names = {}
    for split in ("val", "test"):
        urls = json.loads(
            (samples / "v3det" / f"v3det_2023_v1_image2url_{split}.json").read_bytes()
        )
        for path in urls:
            names[path] = dataset("v3det").picture_name(make_image(file_name=path))
    assert len(names) == 500
    for path, name in names.items():
        assert name == f"flickr/{path.split('/')[-1].split('_')[2]}"


def test_real_names_of_cocos_pictures_tell_the_number(samples):
    coco = json.loads(
        (samples / "coco" / "tinycoco" / "annotations" / "instances_train2017.json").read_bytes()
    )
    lvis = json.loads((samples / "lvis" / "lvis_val_100.json").read_bytes())
    for image in (*coco["images"], *lvis["images"]):
        assert coco_file_name(image["file_name"]) == f"coco/{image['id']}"
        assert coco_file_name(image["coco_url"]) == f"coco/{image['id']}"

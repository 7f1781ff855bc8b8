"""The guard: under which name a picture is compared, and what becomes of what hangs on it."""

import json

import pytest

from schemas.item import Expression
from schemas.ledger import Stage, ledger_of
from schemas.rejection import Kind, Reason
from schemas.source import SourceImage, SourceRegion
from transforms.guard import coco_file_name, guard_image, picture_name
from transforms.ledger import StageLedger

NAMES = [
    ("coco", "139", "000000000139.jpg", "coco/139"),
    ("coco", "139", "COCO_val2014_000000000139.jpg", "coco/139"),
    ("coco", "7", "train2017/000000581929.jpg", "coco/581929"),  # a user's own, by COCO's names
    ("coco", "139", "139.jpg", None),  # a user's own, by another
    ("coco", "139", "0000000000139.jpg", None),
    ("coco", "139", "COCO_val2014_000000000139_3.jpg", None),
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
    ("llava_pretrain", "00001/000010447.jpg", "00001/000010447.jpg", None),
    ("vcr", "lsmdc_1/1@2.jpg", "lsmdc_1/1@2.jpg", None),
]


@pytest.mark.parametrize(("owner", "image_id", "path", "name"), NAMES)
def test_names_of_pictures(make_image, owner, image_id, path, name):
    image = make_image(source="any", image_id=image_id, file_name=path)
    assert picture_name(owner, image) == name


def test_real_names_of_v3det_tell_the_photo(samples, make_image):
    found = {}
    for split in ("val", "test"):
        urls = json.loads(
            (samples / "v3det" / f"v3det_2023_v1_image2url_{split}.json").read_bytes()
        )
        for name in urls:
            found[name] = picture_name("v3det", make_image(file_name=name))
    assert len(found) == 500
    for path, name in found.items():
        assert name == f"flickr/{path.split('/')[-1].split('_')[2]}"


def test_real_names_of_cocos_pictures_tell_the_number(samples):
    coco = json.loads(
        (samples / "coco" / "tinycoco" / "annotations" / "instances_train2017.json").read_bytes()
    )
    lvis = json.loads((samples / "lvis" / "lvis_val_100.json").read_bytes())
    for image in (*coco["images"], *lvis["images"]):
        assert coco_file_name(image["file_name"]) == f"coco/{image['id']}"
        assert coco_file_name(image["coco_url"]) == f"coco/{image['id']}"


def found_in(make_image, path: str | None) -> SourceImage:
    regions = (SourceRegion("1", (0, 0, 1, 1)), SourceRegion("2", (0, 0, 2, 2)))
    return SourceImage(make_image(file_name=path), regions, (Expression("9", "1", "a cup"),))


def test_what_hangs_on_a_removed_image_is_sampled_out(make_image):
    book = StageLedger(Stage.GUARD)
    forbidden = {"coco/139": "pope"}
    kept = [
        guard_image(found_in(make_image, path), "coco", forbidden, book)
        for path in ("000000000139.jpg", "000000000140.jpg", None)
    ]
    assert kept == [False, True, True]
    ledger = ledger_of(book.tally)
    assert [line for line in ledger.problems() if "no later stage" not in line] == []
    image, region, sentence = (
        ledger.account("coco", "train", Stage.GUARD, kind)
        for kind in (Kind.IMAGE, Kind.ANNOTATION, Kind.SENTENCE)
    )
    assert (image.read, image.kept, image.rejected) == (3, 2, {Reason.EVALUATION_IMAGE: 1})
    assert (region.read, region.kept, region.sampled_out) == (6, 4, 2)
    assert (sentence.read, sentence.kept, sentence.sampled_out) == (3, 2, 1)
    (rejection,) = book.rejections
    assert (rejection.kind, rejection.id, rejection.stage) == (Kind.IMAGE, "7", "guard")
    assert "coco/139, of pope" in rejection.detail

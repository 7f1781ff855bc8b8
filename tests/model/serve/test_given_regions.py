"""Regions of a command line."""

import json

import numpy as np
import pytest
from PIL import Image

from model.serve.given_regions import detected_regions, given_regions
from schemas.errors import InputFileError, UsageError

RUNS = {"size": [48, 64], "counts": "PPYo1"}


def test_boxes_and_run_lengths(tmp_path):
    several = tmp_path / "several.json"
    several.write_text(json.dumps([RUNS, {**RUNS, "counts": [1, 2]}]), encoding="utf-8")
    words = ["12,30,200.5,310", " 1e1, 2 ,3,4", json.dumps(RUNS), str(several)]
    assert given_regions(words) == [
        (12, 30, 200.5, 310),
        (10, 2, 3, 4),
        RUNS,
        RUNS,
        {**RUNS, "counts": [1, 2]},
    ]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_a_mask_is_what_is_not_black(tmp_path, mode):
    pixels = np.zeros((48, 64), np.uint8)
    pixels[3:9, 5:20] = 255
    picture = Image.fromarray(pixels)
    path = tmp_path / "mask.png"
    (picture.convert(mode) if mode != "L" else picture).save(path)
    (mask,) = given_regions([str(path)])
    assert (mask == (pixels > 0)).all()


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("1,2,3", "--region 1,2,3: expected four numbers, x1,y1,x2,y2"),
        ("1,2,3,4.5.6", "--region 1,2,3,4.5.6: expected four numbers, x1,y1,x2,y2"),
        ("1,2,3,1e999", "--region 1,2,3,1e999: expected four numbers, x1,y1,x2,y2"),
        ("mask.png", "--region mask.png: no such file; expected a box x1,y1,x2,y2, a picture of"),
        ('{"size": 1}', '--region {"size": 1}: {"size": 1} is no region; expected a box'),
        ("{", "--region {: no JSON: Input data was truncated; expected a box x1"),
    ],
)
def test_what_is_no_region_is_refused(word, message):
    with pytest.raises(UsageError) as refused:
        given_regions([word])
    assert str(refused.value).startswith(message)


def test_a_text_is_no_mask(tmp_path):
    path = tmp_path / "mask.png"
    path.write_text("no picture", encoding="utf-8")
    with pytest.raises(InputFileError, match="the picture is no JPEG, PNG"):
        given_regions([str(path)])


@pytest.fixture
def detections(tmp_path):
    """A detector's file."""
    path = tmp_path / "boxes.json"
    lines = [
        {"image_id": 7, "bbox": [1, 2, 10, 20], "score": 0.9, "category_id": 3},
        {"image_id": 8, "bbox": [1, 2, 10, 20], "score": 0.9},
        {"image_id": 7, "bbox": [5, 6, 10, 20], "score": 0.4},
        {"image_id": 7, "segmentation": RUNS, "score": 0.5},
    ]
    path.write_text(json.dumps(lines), encoding="utf-8")
    return path


def test_detections_of_a_picture(detections):
    kept = detected_regions(detections, "7", 0.5)
    assert [each.region() for each in kept] == [
        {"bbox": (1, 2, 11, 22)},
        {"mask": {"size": (48, 64), "counts": "PPYo1"}, "bbox": None},
    ]
    assert kept[0].category_id == 3
    assert len(detected_regions(detections, "7", 0)) == 3


@pytest.mark.parametrize(
    ("image", "score", "message"),
    [
        ("9", 0, "--image-id 9: {} has none, but 7, 8"),
        ("7", 0.95, "--min-score 0.95: of 3 detections of image 7 the best has 0.9"),
    ],
)
def test_no_detection_is_refused(detections, image, score, message):
    with pytest.raises(UsageError) as refused:
        detected_regions(detections, image, score)
    assert str(refused.value) == message.format(detections)


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"images": []}', encoding="utf-8")
    with pytest.raises(InputFileError, match="expected COCO's results, a list: Expected `array`"):
        detected_regions(path, "1", 0)

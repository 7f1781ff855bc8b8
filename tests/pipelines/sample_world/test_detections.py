"""The sample world's detections: COCO's results, with all that a detector gets right and wrong."""

import json
from collections import Counter, defaultdict

import pytest

from pipelines.sample_world.detections import write_detections
from pipelines.sample_world.scene import World


@pytest.fixture(scope="module")
def detections(sample_world):
    """The detections by picture, and the instances file beside them."""
    folder = sample_world / "refcocog"
    by_picture = defaultdict(list)
    for item in json.loads((folder / "detections.json").read_bytes()):
        by_picture[item["image_id"]].append(item)
    return by_picture, json.loads((folder / "instances.json").read_bytes())


def test_the_form_is_that_of_cocos_results(detections):
    by_picture, instances = detections
    sizes = {image["id"]: (image["width"], image["height"]) for image in instances["images"]}
    categories = {category["id"] for category in instances["categories"]}
    for number in by_picture.keys() & sizes.keys():
        for item in by_picture[number]:
            assert list(item) == ["image_id", "category_id", "bbox", "score"]
            assert item["category_id"] in categories
            assert 0 < item["score"] < 1
            x, y, width, height = item["bbox"]
            assert min(x, y) >= 0
            assert min(width, height) > 0
            assert x + width <= sizes[number][0] + 0.01
            assert y + height <= sizes[number][1] + 0.01


def test_there_are_pictures_with_too_many_boxes_and_with_none(detections):
    by_picture, instances = detections
    numbers = [image["id"] for image in instances["images"]]
    sure = Counter(
        number for number in numbers for item in by_picture[number] if item["score"] >= 0.3
    )
    assert max(sure.values()) > 30
    assert any(not by_picture[number] for number in numbers)
    assert any(item["score"] < 0.3 for number in numbers for item in by_picture[number])


def test_it_hangs_on_the_seed_alone(sample_world, tmp_path):
    for seed in (0, 1):
        write_detections(tmp_path / str(seed), World(seed=seed, pictures=64))
    texts = [(tmp_path / f"{seed}/refcocog/detections.json").read_bytes() for seed in (0, 1)]
    assert texts[0] == (sample_world / "refcocog" / "detections.json").read_bytes()
    assert texts[0] != texts[1]

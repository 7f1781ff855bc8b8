"""A fault of public readers, planted and found: an item without labels becomes another, at random.

They do so to keep a data loader's batches full. The counts stay right; what is counted does not.
"""

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Records = list[dict[str, Any]]


def as_built(records: Records, file: dict[str, Any]) -> Records:
    return records


def others_in_their_place(records: Records, file: dict[str, Any]) -> Records:
    """The records as such a reader makes them: one for every image of the file."""
    chance = random.Random(7)
    by_image = {record["id"].split("/")[2]: record for record in records}
    return [by_image.get(str(image["id"])) or chance.choice(records) for image in file["images"]]


def faults(records: Records, file: dict[str, Any]) -> list[str]:
    """What a second reading of the file finds wrong with records of it."""
    single = {str(item["id"]) for item in file["annotations"] if not item["iscrowd"]}
    labelled = {item["image_id"] for item in file["annotations"] if not item["iscrowd"]}
    images = Counter(record["id"].split("/")[2] for record in records)
    regions = Counter(region["region_id"] for record in records for region in record["regions"])
    problems = [f"image {image} stands {n} times" for image, n in images.items() if n > 1]
    problems += [f"region {region} stands {n} times" for region, n in regions.items() if n > 1]
    if images.keys() != {str(image_id) for image_id in labelled}:
        problems.append("not the images with labels")
    if regions.keys() != single:
        problems.append("not the regions of the file")
    return problems


@pytest.mark.parametrize(
    ("reader", "flagged"),
    [(as_built, False), (others_in_their_place, True)],
    ids=["as built", "at random"],
)
def test_an_item_without_labels_is_never_another(
    tinycoco: Path,
    run_build,
    reader: Callable[[Records, dict[str, Any]], Records],
    flagged: bool,
) -> None:
    file = json.loads((tinycoco / "coco/annotations/instances_train2017.json").read_bytes())
    bare = len(file["images"]) - len({item["image_id"] for item in file["annotations"]})
    assert bare == 2, "the sample has images without labels"
    records = run_build(tinycoco).rows("coco/train-*.arrow")
    assert bool(faults(reader(records, file), file)) is flagged

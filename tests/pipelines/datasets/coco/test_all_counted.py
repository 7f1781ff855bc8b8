"""Each item of a file is counted, whatever is wrong with it."""

import json
import random

import pytest

from pipelines.datasets.coco.source import parse
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.storage.files import FileStore
from schemas.source import SourceImage
from tests.pipelines.datasets.divided import counted


@pytest.fixture(scope="module")
def owner(coco_file):
    """A file with good items and bad ones of every kind."""
    owner = coco_file().good(*range(1, 30))
    owner.picture(40, width="wide")
    owner.region(401, 40)
    owner.region(402, 41)
    owner.region(403, 1, bbox=[1])
    owner.region(11, 2)
    owner.data["annotations"] += ["text", {"id": 5}]
    owner.data["images"] += [dict(owner.data["images"][0]), None]
    owner.data["categories"] += [{"id": 1}, {"id": 3, "name": "dog"}]
    random.Random(0).shuffle(owner.data["annotations"])
    return owner.save()


@pytest.mark.parametrize("limit", [None, 7])
def test_all_items_are_counted(owner, limit):
    (split,) = make_plan(Recipe(sources=(owner.request(),), limit=limit), "", "unused").splits
    entries = counted(parse(split, FileStore()))
    images = [entry for entry in entries if entry.startswith(SourceImage.__name__)]
    assert len(images) == (limit or 29)
    data = json.loads(owner.file.read_bytes())
    assert entries["count image read"] == len(data["images"])
    assert entries["count annotation read"] == len(data["annotations"])

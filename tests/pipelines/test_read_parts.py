"""A split that is read in parts yields what it yields in one, each entry once."""

import json
import random
from collections import Counter

import pytest

from pipelines.datasets.catalog import dataset
from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.runner.launch import launch
from pipelines.storage.files import FileStore
from schemas.errors import BuildError, InputFileError
from schemas.source import Count, Repaired, SourceImage
from tests.pipelines.datasets.divided import split_into_parts


@pytest.fixture(scope="module")
def owner(coco_file):
    """A file with good items and bad ones of every kind that belongs to a part."""
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


def entries(owner, parts: int, limit: int | None):
    """How often each entry comes, counts added up over the parts."""
    recipe = Recipe(sources=(owner.request(),), limit=limit)
    plan = make_plan(recipe, "", "unused")
    counts: Counter[str] = Counter()
    for part in split_into_parts(plan.splits, parts):
        for entry in dataset("coco").parse(part, FileStore()):
            if isinstance(entry, Count):
                counts[f"count {entry.kind} {entry.outcome}"] += entry.number
            elif isinstance(entry, Repaired):
                counts[f"repair {entry.kind} {entry.repair}"] += entry.number
            else:
                counts[repr(entry)] += 1
    return counts


@pytest.mark.parametrize("limit", [None, 7])
@pytest.mark.parametrize("parts", [2, 3, 8])
def test_parts_add_up(owner, parts, limit):
    whole = entries(owner, 1, limit)
    assert entries(owner, parts, limit) == whole
    images = [entry for entry in whole if entry.startswith(SourceImage.__name__)]
    assert len(images) == (limit or 29)
    data = json.loads(owner.file.read_bytes())
    assert whole["count image read"] == len(data["images"])
    assert whole["count annotation read"] == len(data["annotations"])


def test_a_part_that_fails_alone_fails_the_build(sample_world, tmp_path, monkeypatch, in_parts):
    plan = make_plan(Recipe(sources=(SourceRequest(name="vcr"),)), str(sample_world), str(tmp_path))
    *_, last = split_into_parts(plan.splits[:1], 3)
    image_of_last = (
        entry.image
        for entry in dataset("vcr").parse(last, FileStore())
        if isinstance(entry, SourceImage)
    )
    name = str(next(image_of_last).file_name).replace(".jpg", ".json")
    read = FileStore.read

    def fail_once(store: FileStore, path: str) -> bytes:
        if path.endswith(name):
            raise InputFileError(f"cannot read {path}: connection reset")
        return read(store, path)

    monkeypatch.setattr(FileStore, "read", fail_once)
    with pytest.raises(BuildError, match=rf"cannot read .*{name}: connection reset$"):
        launch(plan, in_parts)


def test_every_part_has_some_of_the_images(owner):
    recipe = Recipe(sources=(owner.request(),))
    for part in split_into_parts(make_plan(recipe, "", "unused").splits, 3):
        part_entries = list(dataset("coco").parse(part, FileStore()))
        assert 0 < sum(isinstance(entry, SourceImage) for entry in part_entries) < 29

"""Splits that are not there, and splits of which nothing is kept."""

import pytest
from datasets import load_dataset

from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.verify import verify
from schemas.errors import UsageError


def test_a_split_without_a_row_hides_no_other(two_splits, run_build):
    root, splits = two_splits
    for item in splits["val"].data["annotations"]:
        item["iscrowd"] = 1
    splits["val"].save()
    output = run_build(root, request={"label_set": "Things"})
    assert verify(str(output.folder)).problems == []
    assert output.manifest().rows("coco", "val") == 0
    dataset = load_dataset(str(output.folder), "coco")
    assert {split: len(rows) for split, rows in dataset.items()} == {"train": 3}


@pytest.fixture
def v3det(sample_world, tmp_path):
    """A data root with V3Det alone, whose splits share a folder of pictures."""
    there, here = sample_world / "v3det", tmp_path / "v3det"
    (here / "annotations").mkdir(parents=True)
    for path in (there / "annotations").iterdir():
        (here / "annotations" / path.name).symlink_to(path)
    (here / "images").symlink_to(there / "images")
    return tmp_path


def planned(root) -> list[str]:
    recipe = Recipe(sources=(SourceRequest(name="v3det"),))
    return [split.split for split in make_plan(recipe, str(root), "unused").splits]


def test_a_folder_that_splits_share_does_not_make_an_absent_one_incomplete(v3det):
    assert planned(v3det) == ["train", "val"]
    (v3det / "v3det/annotations/v3det_2023_v1_val.json").unlink()
    assert planned(v3det) == ["train"]
    (v3det / "v3det/annotations/v3det_2023_v1_train.json").unlink()
    with pytest.raises(UsageError, match=r"not complete; missing: .*v3det_2023_v1_train"):
        planned(v3det)


@pytest.mark.parametrize(
    ("name", "folder", "gone"),
    [
        ("vcr", "vcr", ["val.jsonl"]),
        ("flickr30k", "flickr30k_entities", ["val.txt", "test.txt"]),
    ],
)
def test_files_that_splits_share_do_not_either(sample_world, tmp_path, name, folder, gone):
    (tmp_path / folder).mkdir()
    for path in (sample_world / folder).iterdir():
        if path.name not in gone:
            (tmp_path / folder / path.name).symlink_to(path)
    recipe = Recipe(sources=(SourceRequest(name=name),), guard=False)
    plan = make_plan(recipe, str(tmp_path), "unused")
    assert [split.split for split in plan.splits] == ["train"]

"""What a dry run estimates is about what a build then writes, though it reads far less."""

import json

import pytest

from pipelines.cli import dry_run
from pipelines.cli.dry_run import SplitEstimate
from pipelines.cli.parser import run
from pipelines.datasets.catalog import dataset
from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.runner.launch import LaunchOptions, launch
from pipelines.sample_world import SOURCES


@pytest.mark.parametrize("name", SOURCES)
def test_the_estimate_fits_the_build(sample_world, tmp_path, monkeypatch, name):
    monkeypatch.setattr(dry_run, "COMPOSED", 12)
    source = SourceRequest(name=name, label_set=SOURCES[name])
    recipe = Recipe(sources=(source,), evaluation=not dataset(name).tasks, guard=False)
    plan = make_plan(recipe, str(sample_world), str(tmp_path))
    estimates = [SplitEstimate(split, plan) for split in plan.splits]
    manifest = launch(plan, LaunchOptions())
    assert sum(estimate.shards for estimate in estimates) == len(manifest.shards)
    written = sum(shard.bytes for shard in manifest.shards)
    assert sum(estimate.bytes for estimate in estimates) == pytest.approx(written, rel=0.3)


UNSAFE = "1: file_name '../../1.jpg', expected a path below the image folder"
NO_BOX = "1: has no `bbox`, and no mask to take it from"


@pytest.mark.parametrize(
    ("damage", "lines", "mostly"),
    [
        (
            lambda content: content["images"][0].update(file_name="../../1.jpg"),
            [f"coco/train: image image_unsafe_path: 1, e.g. {UNSAFE}"],
            f"image image_unsafe_path 1, e.g. {UNSAFE}",
        ),
        (
            lambda content: content.update(
                annotations=[{"id": 11, "image_id": 1, "category_id": 1}]
            ),
            [f"coco/train: annotation malformed: 1, e.g. 1{NO_BOX}"],
            f"annotation malformed 1, e.g. 1{NO_BOX}",
        ),
    ],
)
def test_where_nothing_would_be_kept_it_fails_and_says_why(
    damage, lines, mostly, coco_file, capsys, tmp_path
):
    owner = coco_file().good(1).save()
    content = json.loads(owner.file.read_bytes())
    damage(content)
    owner.file.write_text(json.dumps(content), encoding="utf-8")
    words = ["--coco-annotations", owner.file, "--coco-images", owner.pictures, "--no-guard"]
    words += ["--output", tmp_path / "out", "--dry-run"]
    assert run(["build", "--sources", "coco", *map(str, words)]) == 1
    shown = capsys.readouterr()
    assert [line in shown.out for line in lines] == [True] * len(lines)
    assert shown.err.startswith(f"error: nothing would be kept. Mostly: {mostly}")


def test_images_that_the_guard_leaves_out_are_no_output(sample_world, capsys, tmp_path):
    words = ["build", "--sources", "coco", "--data-root", str(sample_world), "--dry-run"]
    words += ["--coco-annotations", f"{sample_world}/coco/annotations/instances_val2017.json"]
    words += ["--coco-images", f"{sample_world}/coco/val2017", "--output", str(tmp_path / "out")]
    assert run(words) == 1
    assert "nothing would be kept. Mostly: image evaluation_image" in capsys.readouterr().err

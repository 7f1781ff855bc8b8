"""What a dry run estimates is about what a build then writes, though it reads far less."""

import pytest

from pipelines.cli import dry_run
from pipelines.cli.dry_run import SplitEstimate
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

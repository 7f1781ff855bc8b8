"""A small build of the preset `proof`, which training reads."""

from pathlib import Path

import pytest

import regionforge
from pipelines.sample_world import write_world


@pytest.fixture(scope="session")
def proof_shards(tmp_path_factory) -> Path:
    """The shards of the recipe `proof` on 400 pictures of each data set, several a split."""
    root = tmp_path_factory.mktemp("proof_world")
    write_world(root, "small", preset="proof")
    output = tmp_path_factory.mktemp("proof_shards")
    recipe = regionforge.load_recipe("proof", shard_bytes=2**20)
    regionforge.launch(regionforge.make_plan(recipe, root, output))
    return output

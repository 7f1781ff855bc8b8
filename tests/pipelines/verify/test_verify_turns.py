"""Verify counts the turns of each task, and the words of their answers, again."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.card.card import front_matter
from pipelines.verify import verify
from schemas.manifest import Manifest

TASK = "region_classification"


class Build:
    """A copy of a build whose manifest may be changed, as a forger would: the card fits it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_bytes())
        self.shard = next(shard for shard in self.manifest["shards"] if shard["rows"])

    def problems(self) -> list[str]:
        (self.folder / "manifest.json").write_text(json.dumps(self.manifest))
        front = yaml.safe_dump(front_matter("all", Manifest.model_validate(self.manifest)))
        (self.folder / "README.md").write_text(f"---\n{front}---\n")
        return verify(str(self.folder)).problems


@pytest.fixture
def output(run_build, sample_world, tmp_path):
    build = run_build(sample_world, request={"label_set": "Shapes-15"}, guard=False)
    return Build(shutil.copytree(build.folder, tmp_path / "output"))


def test_turns_that_are_not_as_counted(output):
    assert output.problems() == []
    counts = output.shard["turns"][TASK]
    read = f"{output.shard['path']}: {counts['turns']} turns of {TASK} with {counts['words']} words"
    for changed in ({"turns": 1, "words": 2}, {"turns": counts["turns"], "words": 0}):
        output.shard["turns"] = {TASK: changed}
        expected = f"expected {changed['turns']} with {changed['words']} as in the manifest"
        assert output.problems() == [f"{read}, {expected}"]
    output.shard["turns"] = {}
    assert output.problems() == [f"{read}, expected 0 with 0 as in the manifest"]


def test_turns_that_no_row_has(output):
    output.shard["turns"]["region_caption"] = {"turns": 3, "words": 4}
    (problem,) = output.problems()
    assert "0 turns of region_caption with 0 words, expected 3 with 4" in problem


def test_turns_of_an_older_program_are_not_missed(output):
    """It had no limit of words, and counted no turns."""
    for shard in output.manifest["shards"]:
        shard["turns"] = {}
    del output.manifest["identity"]["recipe"]["max_words"]
    assert not any(" turns of " in line for line in output.problems())

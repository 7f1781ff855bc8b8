"""Commands that run no pipeline import no Beam, which takes most of the time that they need."""

import json
import os
import subprocess
import sys

import pytest

from pipelines.cli.parser import run

# Each: the words of a command, W for the sample world, B for a build of it, N for a new path.
COMMANDS = [
    ["sources", "coco", "--data-root", "W"],
    ["validate", "regiongpt_pretrain"],
    ["checks"],
    ["new-source", "birds", "--output", "N1"],
    ["verify", "B"],
    ["preview", "B", "-n", "1"],
    ["info", "B"],
    ["diff", "B", "B"],
    ["report", "B", "--to", "N2", "-n", "2"],
    ["export", "B", "--format", "llava", "--to", "N3"],
    ["subset", "B", "--splits", "train", "--output", "N4"],
    ["subset", "B", "--splits", "val,test", "--output", "N5"],
    ["merge", "N4", "N5", "--output", "N0"],
    ["push", "B", "--repo", "me/regions", "--dry-run"],
]
# No module of Beam can be imported: a command that wants one fails.
PROGRAM = """
import json, sys
sys.modules["apache_beam"] = None
import pipelines.sample_world, train.dry_run  # what takes longer than its imports
from pipelines.cli.parser import run
for words in json.loads(sys.argv[1]):
    try:
        ended = run(words)
    except ImportError as error:
        ended = repr(error)
    if ended:
        print("FAILED:", words, ended)
"""


@pytest.fixture(scope="module")
def build(sample_world, tmp_path_factory):
    output = tmp_path_factory.mktemp("built") / "output"
    words = ["build", "--sources", "refcocog", "--data-root", str(sample_world), "--limit", "3"]
    assert run([*words, "--output", str(output)]) == 0
    return output


def test_commands_that_run_no_pipeline_work_without_beam(build, sample_world, tmp_path):
    names = {"W": str(sample_world), "B": str(build)}
    names |= {f"N{number}": str(tmp_path / str(number)) for number in range(6)}
    words = [[names.get(word, word) for word in command] for command in COMMANDS]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(words)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert failed == [], done.stderr

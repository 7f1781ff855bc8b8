"""What everyday commands print stays short, on both streams, without a terminal."""

import os
import subprocess
import sys

import pytest

from pipelines.cli.parser import run

LABEL = ["--sources", "coco,refcocog,visual_genome", "--label-set", "coco=Shapes-15"]
RECAP = ["recap", "--source", "v3det", "--captioner", "builtin", "--no-filter", "--data-root", "W"]

# Each: the words of a command, W for the sample world, B for a build of it, N for a new folder; and
# the greatest number of lines.
EVERYDAY = [
    (["sources", "--data-root", "W"], 16),
    (["sources", "coco", "--data-root", "W"], 20),
    (["sources", "refcocog", "vcr", "--data-root", "W"], 40),
    (["validate", "regiongpt_pretrain"], 2),
    (["checks"], 35),
    (["sample-world", "N"], 4),
    (["build", *LABEL, "--data-root", "W", "--output", "N", "--dry-run"], 30),
    (["build", *LABEL, "--data-root", "W", "--output", "N"], 32),
    (["build", *LABEL, "--data-root", "W", "--output", "B"], 32),  # up to date
    (["build", "--recipe", "eval_pope", "--data-root", "W", "--output", "N"], 25),
    (["verify", "B"], 3),
    (["verify", "B", "--workers", "2"], 3),
    (["preview", "B", "--html", "N", "-n", "20"], 2),
    (["preview", "B", "-n", "1"], 30),
    (["info", "B"], 40),
    (["diff", "B", "B"], 1),
    (["export", "B", "--format", "llava", "--to", "N"], 8),
    (["new-source", "birds", "--output", "N"], 9),
    (["subset", "B", "--limit", "2", "--output", "N"], 12),
    (["report", "B", "--to", "N", "-n", "20"], 2),
    (["push", "B", "--repo", "me/regions", "--dry-run"], 12),
    ([*RECAP, "--output", "N", "--dry-run"], 8),
    ([*RECAP, "--output", "N"], 22),
]


@pytest.fixture(scope="module")
def build(sample_world, tmp_path_factory):
    output = tmp_path_factory.mktemp("built") / "output"
    assert run(["build", *LABEL, "--data-root", str(sample_world), "--output", str(output)]) == 0
    return output


@pytest.mark.parametrize(("words", "most"), EVERYDAY, ids=[" ".join(w)[:70] for w, _ in EVERYDAY])
def test_everyday_commands_print_few_lines(
    words, most, build, sample_world, tmp_path, capsys, monkeypatch
):
    # A line of progress is printed every ten seconds: as many as the machine is slow.
    monkeypatch.setattr("pipelines.runner.progress._LINE_SECONDS", 10_000)
    names = {"W": str(sample_world), "B": str(build), "N": str(tmp_path / "new")}
    assert run([names.get(word, word) for word in words]) == 0
    captured = capsys.readouterr()
    lines = (captured.out + captured.err).splitlines()
    assert 0 < len(lines) <= most, "\n".join(lines)


def test_libraries_of_worker_processes_print_nothing(build):
    """Beam, which each process of `verify` imports, says what it does not find."""
    words = [sys.executable, "-m", "regionforge", "verify", str(build), "--workers", "2"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=dict(os.environ))
    lines = done.stderr.splitlines()
    assert [line for line in lines if "  verifying" not in line] == []

"""`torchrun`: a model in parts on two processes of the command, and its run on one afterwards."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from train.cli import run
from train.seen import logged

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def words(proof_shards, held_out, towers):
    """A second stage of four steps with validation, whose rows two processes cannot halve."""
    given = ["train", "--recipe", "regiongpt_finetune", "--shards", str(proof_shards)]
    given += [*towers["regiongpt"], "--device", "cpu", "--workers", "0", "--batch", "4"]
    given += ["--no-recapd", "--limit", "40", "--micro-batch", "2", "--checkpoint-every", "2"]
    return [*given, "--validate-every", "2", "--validate-on", str(held_out), "--max-steps"]


def torchrun(words: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "-m", "regionforge", *words]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=240, check=False
    )


@pytest.fixture(scope="module")
def alone(words, tmp_path_factory):
    """The run on one process."""
    folder = tmp_path_factory.mktemp("alone") / "run"
    assert run([*words, "4", "--output", str(folder)]) == 0
    return folder


def test_two_processes_train_in_parts_and_one_goes_on(words, alone, tmp_path):
    folder = tmp_path / "run"
    ended = torchrun([*words, "2", "--sharded", "--output", str(folder)])
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"wrote {folder}/final\n"
    assert run([*words, "4", "--output", str(folder)]) == 0
    expected, lines = logged(alone), logged(folder)
    assert [line["step"] for line in lines] == [0, 1, 2, 3]
    for line, wanted in zip(lines, expected, strict=True):
        for key in ("loss", "validation_loss", "gradient_norm"):
            assert line.get(key) == pytest.approx(wanted.get(key), rel=1e-5), key
    record = json.loads((folder / "run.json").read_bytes())
    assert [start["processes"] for start in record["starts"]] == [2, 1]
    for name in ("step-00000002.json", "step-00000004.json"):
        ours, theirs = ((f / "samples" / name).read_bytes() for f in (folder, alone))
        assert json.loads(ours) == json.loads(theirs)

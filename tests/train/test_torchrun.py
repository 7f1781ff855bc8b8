"""`regionforge train --sharded`, started by torchrun in two processes and gone on with in one."""

import signal
import time
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from tests.forked import Forked
from train.checkpoint import checkpoints
from train.cli import run
from train.seen import logged

PROGRAM = Path(__file__).resolve().parents[2] / "regionforge" / "__main__.py"
# Its processes are forked, so that they need not import everything again.
TORCHRUN = ["--standalone", "--nproc-per-node", "2", "--start-method", "fork", "--run-path"]
SECONDS = 200.0  # for two processes to begin, on a busy machine

pytestmark = pytest.mark.usefixtures("group")


@pytest.fixture
def group():
    """Leave the group that a model in parts has made in this process."""
    yield
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def torchrun(words: list[str]) -> None:
    """Be the program `torchrun`, which starts the processes of a run."""
    from torch.distributed.run import main  # only in a process of its own

    main(words)


def names_in(file: Path) -> set[str]:
    """The names of the tensors in a file of safetensors, but for single numbers."""
    with safe_open(file, "pt") as tensors:
        return {name for name in tensors.keys() if not name.endswith("/step")}  # noqa: SIM118


def test_a_run_of_two_processes_that_is_ended_goes_on_in_one(proof_shards, towers, tmp_path):
    words = ["train", "--recipe", "regiongpt_finetune", "--no-recapd", *towers["regiongpt"]]
    words += ["--shards", str(proof_shards), "--device", "cpu", "--workers", "0", "--batch", "8"]
    words += ["--max-steps", "8", "--sharded"]
    assert run([*words, "--output", str(tmp_path / "one")]) == 0

    folder = tmp_path / "two"
    words += ["--output", str(folder)]
    process = Forked(tmp_path / "shown.txt", torchrun, [*TORCHRUN, str(PROGRAM), *words])
    end = time.monotonic() + SECONDS
    while len(logged(folder)) < 2 and process.runs():
        assert time.monotonic() < end
        time.sleep(0.005)
    process.signal(signal.SIGTERM)
    process.ended()
    shown = process.shown()
    steps = len(logged(folder))
    assert 2 <= steps < 8, shown
    assert [path.name for path in checkpoints(folder)] == [f"step-{steps:08d}"], shown
    parts = list((checkpoints(folder)[-1] / "optimizer").iterdir())
    assert len(parts) == 2
    assert names_in(parts[0]) == names_in(parts[1]), "each process writes its part of each tensor"

    assert run(words) == 0
    losses = [[line["loss"] for line in logged(tmp_path / name)] for name in ("one", "two")]
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)
    one, two = (load_file(tmp_path / name / "final/model.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    assert [name for name in one if not torch.allclose(one[name], two[name], atol=1e-5)] == []

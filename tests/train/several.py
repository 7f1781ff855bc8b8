"""Short runs of training, in this process or as one of several, for the tests of processes.

    RANK=0 WORLD_SIZE=2 MASTER_ADDR=localhost MASTER_PORT=29500 python -m tests.train.several WORK

WORK holds the folder `tokenizer`, and `runs.json`: the folder of shards, and the list of runs. Each
of them writes WORK/NAME/{losses.json, model.safetensors, run/checkpoints/}.
"""

import json
import os
import socket
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoTokenizer

from model.batch import Example
from model.config import IGNORED
from model.presets import tiny_gpt4roi, tiny_regiongpt
from model.processor import RegionProcessor, processor_for
from model.region_model import (
    GPT4RoIForConditionalGeneration,
    RegionGPTForConditionalGeneration,
    RegionModel,
)
from train import checkpoint
from train.data.build import Build
from train.data.example import TrainingExample, TrainingRows
from train.data.loader import MicroBatch
from train.data.rows import ShardRows
from train.loop import Done, Job, Stopped, prepare, train
from train.optim import make_optimizer
from train.processes import Processes
from train.recipes import TrainRecipe
from train.sharding import whole_model
from train.step import optimize

STEPS = 4
SAVED = 2  # the steps before the checkpoint that is written


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run of four steps of three rows, or its second half."""

    name: str
    kind: str = "regiongpt"
    sharded: bool = False
    recompute: bool = False
    goes_on: str | None = None  # from the checkpoint of the run of this name
    mixed: bool = False  # the steps are those of `mixed_steps`


def model_of(run: Run, tokenizer: Path) -> tuple[RegionModel, RegionProcessor]:
    """Return a tiny model with the same weights each time, and its processor."""
    torch.manual_seed(0)
    config = tiny_regiongpt() if run.kind == "regiongpt" else tiny_gpt4roi(image_boundaries=True)
    kind = (
        RegionGPTForConditionalGeneration
        if run.kind == "regiongpt"
        else GPT4RoIForConditionalGeneration
    )
    return kind(config), processor_for(config, AutoTokenizer.from_pretrained(tokenizer))


def perform(run: Run, shards: Path, work: Path, processes: Processes) -> None:
    """Train a model, and write its losses, norms and weights."""
    model, processor = model_of(run, work / "tokenizer")
    stage = "regiongpt_finetune" if run.kind == "regiongpt" else "gpt4roi_stage2"
    recipe = TrainRecipe(
        name="test", stage=stage, builds=(), learning_rate=1e-3, batch=3, epochs=1,
        precision="float32", warmup_steps=0, regions_as="box",
    )  # fmt: skip
    build = Build.open(shards)
    rows = ShardRows(build, build.shards("train"))
    job = Job(
        rows=rows, micro_batch=1, processes=processes, max_steps=STEPS,
        sharded=run.sharded, recompute=run.recompute,
    )  # fmt: skip
    prepare(model, recipe, job)
    folder = work / run.name
    steps: list[tuple[float, float]] = []

    def note(done: Done, optimizer: torch.optim.Optimizer) -> None:
        steps.append((done.result.loss, done.result.gradient_norm))
        if done.step + 1 == SAVED:
            checkpoint.save(folder / "run", SAVED, model, optimizer, state={}, processes=processes)

    optimizer = make_optimizer(model, recipe)
    if run.mixed:
        model.train()
        for micros in mixed_steps(rows, processor):
            mine = micros[processes.rank :: processes.world]
            result = optimize(
                model, optimizer, mine, clip=1.0, precision="float32", processes=processes
            )
            steps.append((result.loss, result.gradient_norm))
    else:
        stopped = None
        if run.goes_on is not None:
            path = checkpoint.checkpoint_path(work / run.goes_on / "run", SAVED)
            checkpoint.load(path, model, optimizer, processes)
            stopped = Stopped(optimizer=optimizer, steps=SAVED)
        train(model, processor, recipe, job, stopped=stopped, after_step=note)
    copied = whole_model(model, torch.float32, processes)
    if copied is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "losses.json").write_text(json.dumps(steps), encoding="utf-8")
        save_file(copied.state_dict(), folder / "model.safetensors")


def mixed_steps(rows: ShardRows, processor: RegionProcessor) -> list[list[MicroBatch]]:
    """Return steps of two micro-batches, a picture with regions, text alone, or nothing."""
    examples = TrainingRows(rows, processor, seed=0, regions_as="box")
    row = examples[0, rows.configs().index("v3det")]
    assert isinstance(row, TrainingExample)
    assert row.example.region_tokens
    ids = list(range(10, 20))
    text = Example(input_ids=ids, labels=[IGNORED] * 5 + ids[5:])
    pictured, written, nothing = (
        MicroBatch(
            batch=processor.collate([example]) if example else None,
            ids=(),
            supervised=supervised,
            tokens=supervised,
            dropped_turns=0,
            rejected=(),
        )
        for example, supervised in ((row.example, row.supervised), (text, 5), (None, 0))
    )
    return [[pictured, written], [written, written], [pictured, nothing], [nothing, nothing]]


def perform_all(work: Path) -> None:
    """Do all runs, as one of several processes."""
    torch.set_num_threads(1)
    stated = json.loads((work / "runs.json").read_bytes())
    processes = Processes.join(torch.device("cpu"))
    for run in stated["runs"]:
        perform(Run(**run), Path(stated["shards"]), work, processes)
    processes.leave()


def perform_on_two(runs: list[Run], shards: Path, work: Path) -> None:
    """Do runs in two new processes, as torchrun starts them."""
    stated = {"shards": str(shards), "runs": [asdict(run) for run in runs]}
    (work / "runs.json").write_text(json.dumps(stated), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    started = []
    for rank in range(2):
        names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_PORT": port}
        environment = {key: str(value) for key, value in names.items()}
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.train.several", str(work)],
                env={**os.environ, **environment, "MASTER_ADDR": "localhost"},
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    errors = [process.communicate(timeout=240)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], "\n".join(errors)


if __name__ == "__main__":
    perform_all(Path(sys.argv[1]))

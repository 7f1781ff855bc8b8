"""Short runs of training, in this process or as one of several, for the tests of processes.

A folder WORK holds the folder `tokenizer`, and `runs.json`: the folder of shards, and the list of
runs. Each of them writes WORK/NAME/{losses.json, model.safetensors, run/checkpoints/}.
"""

import errno
import json
import socket
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from unittest import mock

import torch
from safetensors.torch import save_file
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
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
from tests.forked import Forked
from train import checkpoint
from train.data.build import Build
from train.data.example import TrainingExample, TrainingRows
from train.data.loader import MicroBatch
from train.data.rows import ShardRows
from train.layers import Recompute
from train.loop import Done, Job, Stopped, prepare, train
from train.optim import make_optimizer
from train.processes import Processes
from train.recipes import TrainRecipe
from train.sharding import at_rest, whole_model
from train.step import optimize

# What fails in which process.
FAILURES = (
    ("torch.distributed.checkpoint.filesystem.os.fsync", 1),
    ("train.checkpoint.json.dumps", 0),
    ("pathlib.Path.mkdir", 0),
)
STEPS = 4
SAVED = 2  # the steps before the checkpoint that is written


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run of four steps of three rows, or its second half."""

    name: str
    stage: str = "regiongpt_finetune"
    sharded: bool = False
    hosts: int | None = None  # that the processes are said to be on, each with a copy
    recompute: Recompute = "none"
    saves: bool = False  # whether it writes a checkpoint
    goes_on: str | None = None  # from the checkpoint of the run of this name
    mixed: bool = False  # the steps are those of `mixed_steps`


def model_of(run: Run, tokenizer: Path) -> tuple[RegionModel, RegionProcessor]:
    """Return a tiny model with the same weights each time, and its processor."""
    torch.manual_seed(0)
    words = AutoTokenizer.from_pretrained(tokenizer)
    if run.stage.startswith("gpt4roi"):
        boxes = tiny_gpt4roi(image_boundaries=True)
        return GPT4RoIForConditionalGeneration(boxes), processor_for(boxes, words)
    masks = tiny_regiongpt()
    return RegionGPTForConditionalGeneration(masks), processor_for(masks, words)


def perform(run: Run, shards: Path, work: Path, processes: Processes) -> None:
    """Train a model, and write its losses, norms and weights."""
    model, processor = model_of(run, work / "tokenizer")
    recipe = TrainRecipe(
        name="test", stage=run.stage, builds=(), learning_rate=1e-3, batch=3, epochs=1,
        precision="float32", warmup_steps=0, regions_as="box",
    )  # fmt: skip
    build = Build.open(shards)
    rows = ShardRows(build, build.shards("train"))
    if run.hosts is not None:
        processes = replace(processes, on_host=processes.world // run.hosts)
    job = Job(
        rows=rows, micro_batch=1, processes=processes, max_steps=STEPS,
        sharded=run.sharded, recompute=run.recompute, copy_per_host=run.hosts is not None,
    )  # fmt: skip
    prepare(model, recipe, job)
    folder = work / run.name
    steps: list[tuple[float, float]] = []

    def note(done: Done, optimizer: torch.optim.Optimizer) -> None:
        steps.append((done.result.loss, done.result.gradient_norm))
        if run.saves and done.step + 1 == SAVED:
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
    held = share_held(model)
    copied = whole_model(model, torch.float32, processes)
    if copied is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "held.json").write_text(json.dumps(held), encoding="utf-8")
        (folder / "losses.json").write_text(json.dumps(steps), encoding="utf-8")
        save_file(copied.state_dict(), folder / "model.safetensors")


def share_held(model: RegionModel) -> float:
    """Return the share of the trained weights that this process holds."""
    trained = [p for p in at_rest(model).parameters() if p.requires_grad]
    held = sum(p.to_local().numel() if isinstance(p, DTensor) else p.numel() for p in trained)
    return held / sum(p.numel() for p in trained)


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


def save_with_a_failure(work: Path, processes: Processes, fails: str, rank: int) -> None:
    """Write the message of a checkpoint that one process cannot write, as this process has it."""
    model = nn.Linear(3, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    full = OSError(errno.ENOSPC, "No space left on device")
    with mock.patch(fails, side_effect=full) if processes.rank == rank else nullcontext():
        try:
            checkpoint.save(work / "full", 1, model, optimizer, state={}, processes=processes)
        except checkpoint.CheckpointError as error:
            words = f"{error}\n"
        else:
            words = "no error\n"
    with (work / f"failed-{processes.rank}.txt").open("a", encoding="utf-8") as file:
        file.write(words)


def save_odd_parts(work: Path, processes: Processes) -> None:
    """Write a checkpoint of tensors that two processes cannot halve."""
    model, _ = odd_model()
    mesh = init_device_mesh("cpu", (processes.world,))
    fully_shard(model, mesh=mesh)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model(torch.ones(2, 4)).sum().backward()
    optimizer.step()
    checkpoint.save(work / "odd", 1, model, optimizer, state={}, processes=processes)


def odd_model() -> tuple[nn.Module, torch.optim.Optimizer]:
    """Return a model with sides of 3 and 1, and its optimizer."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 1))
    return model, torch.optim.AdamW(model.parameters(), lr=0.1)


def perform_all(folder: str) -> None:
    """Do all runs of a folder WORK, as one of several processes."""
    work = Path(folder)
    torch.set_num_threads(1)
    stated = json.loads((work / "runs.json").read_bytes())
    processes = Processes.join(torch.device("cpu"))
    for run in stated["runs"]:
        perform(Run(**run), Path(stated["shards"]), work, processes)
    for fails, rank in FAILURES:
        save_with_a_failure(work, processes, fails, rank)
    save_odd_parts(work, processes)
    processes.leave()


def perform_on_two(runs: list[Run], shards: Path, work: Path) -> None:
    """Do runs in two new processes, with the environment that torchrun gives them."""
    stated = {"shards": str(shards), "runs": [asdict(run) for run in runs]}
    (work / "runs.json").write_text(json.dumps(stated), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    started = []
    for rank in range(2):
        names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_PORT": port}
        environment = {key: str(value) for key, value in names.items()}
        shown = work / f"shown-{rank}.txt"
        started.append(
            Forked(shown, perform_all, str(work), MASTER_ADDR="localhost", **environment)
        )
    try:
        statuses = [process.ended(240) for process in started]
    finally:
        for process in started:
            process.kill()
    assert statuses == [0, 0], "\n".join(process.shown() for process in started)

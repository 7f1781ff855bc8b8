"""The loop of training: from the rows of a build to a model that has seen them.

    schedule of steps -> micro-batches, made ahead -> step -> what is seen of it -> checkpoint

All that a step depends on is its number, so a run that goes on ends as one that was never stopped.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from model.attention import ATTENTION_NAME
from model.config import RegionConfig
from model.processor import RegionProcessor
from model.region_model import RegionModel
from model.stages import freeze_for
from train.data.costs import costs_of
from train.data.example import TrainingRows
from train.data.loader import Loading, Schedule, load_steps
from train.data.order import shares_of
from train.data.rows import Rows
from train.layers import Recompute
from train.optim import learning_rate, make_optimizer, set_learning_rate
from train.processes import Processes
from train.recipes import TrainRecipe
from train.sharding import Layout, is_sharded, lay_out
from train.step import StepResult, optimize


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is trained on, and how it is loaded."""

    rows: Rows
    micro_batch: int  # rows of a forward pass
    processes: Processes
    workers: int = 0
    max_steps: int | None = None  # stop after so many steps; the schedule is that of all
    image_root: Path | None = None
    sharded: bool | None = None  # see `train.sharding.Layout`, as for the next three
    copy_per_host: bool = False
    recompute: Recompute | None = None
    compiled: bool | None = None
    weights: Mapping[str, float] = field(default_factory=dict)  # how often rows come, by config


@dataclass(frozen=True, kw_only=True)
class Done:
    """A step that is done."""

    step: int  # from 0
    epoch: int
    rate: float  # the learning rate
    ids: tuple[str, ...]  # of this process's rows
    result: StepResult
    seconds: float  # that the step took, with the wait for its rows
    waited: float  # seconds of them that it waited for its rows


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """The state of a run that is to go on."""

    optimizer: torch.optim.Optimizer
    steps: int  # that are done


AfterStep = Callable[[Done, torch.optim.Optimizer], None]


def schedule_of(recipe: TrainRecipe, job: Job, config: RegionConfig | None = None) -> Schedule:
    """Return the steps of a recipe on the rows of a job, dealt by what a model takes for each.

    Args:
        recipe: see there.
        job: see there.
        config: the model's; without one, rows are dealt by the length of their messages.
    """
    rows = job.rows
    known = None if config is None else costs_of(rows, config, recipe.stage)
    shares = shares_of(job.rows.configs(), job.weights) if job.weights else None
    return Schedule(
        ids=job.rows.ids(),
        costs=rows.characters().astype(np.float64) if known is None else known,
        batch=recipe.batch,
        epochs=recipe.epochs,
        seed=recipe.seed,
        shares=shares,
    )


def prepare(model: RegionModel, recipe: TrainRecipe, job: Job) -> None:
    """Make a model ready for a stage: before its optimizer, and before a checkpoint is loaded.

    Done again, it changes nothing.
    """
    if is_sharded(model):
        return
    if not hasattr(model, "peft_config"):  # adapters have frozen the rest
        freeze_for(model, recipe.stage)
    model.set_attn_implementation({"text_config": ATTENTION_NAME})
    layout = Layout(
        processes=job.processes,
        precision=recipe.precision,
        sharded=job.sharded,
        copy_per_host=job.copy_per_host,
        recompute=job.recompute,
        compiled=job.compiled,
    )
    lay_out(model, layout)


def train(
    model: RegionModel,
    processor: RegionProcessor,
    recipe: TrainRecipe,
    job: Job,
    *,
    stopped: Stopped | None = None,
    after_step: AfterStep = lambda done, optimizer: None,
) -> None:
    """Train a model through a stage.

    Args:
        model: is moved to the device of the job's processes, and frozen as the stage says.
        processor: the model's.
        recipe: the stage, and how it is trained.
        job: the rows, and who trains on them.
        stopped: of a run that goes on, whose weights the model has; None: a new run.
        after_step: called after each step.
    """
    prepare(model, recipe, job)
    model.train()
    optimizer = stopped.optimizer if stopped else make_optimizer(model, recipe)
    start = stopped.steps if stopped else 0
    schedule = schedule_of(recipe, job, model.config)
    examples = TrainingRows(
        job.rows,
        processor,
        seed=recipe.seed,
        regions_as=recipe.regions_as,
        image_root=job.image_root,
    )
    loading = Loading(
        micro_batch=job.micro_batch,
        rank=job.processes.rank,
        world=job.processes.world,
        workers=job.workers,
        pinned=job.processes.device.type == "cuda",
    )
    begun = perf_counter()
    for step, micros in load_steps(schedule.steps(start), examples, processor, loading):
        loaded = perf_counter()
        if job.max_steps is not None and step.number >= job.max_steps:
            return
        rate = learning_rate(recipe, step.number, schedule.count)
        set_learning_rate(optimizer, rate)
        result = optimize(
            model,
            optimizer,
            micros,
            clip=recipe.clip,
            precision=recipe.precision,
            processes=job.processes,
        )
        ids = tuple(name for micro in micros for name in micro.ids)
        done = Done(
            step=step.number,
            epoch=step.epoch,
            rate=rate,
            ids=ids,
            result=result,
            seconds=perf_counter() - begun,
            waited=loaded - begun,
        )
        after_step(done, optimizer)
        begun = perf_counter()

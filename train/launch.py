"""A run from its plan to its end: the first start, or one that goes on after a stop.

record -> model, calibrated where it is new -> steps: guard, validation, log, checkpoint -> final
"""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from model.processor import RegionProcessor
from model.region_model import RegionModel
from schemas.console import notice
from schemas.counted import counted
from schemas.errors import RegionForgeError
from train.calibrate import calibrate_connector
from train.checkpoint import checkpoints, keep_last, load, read_state, save
from train.data.example import TrainingRows
from train.data.loader import Loading, Step, load_steps
from train.final import save_final
from train.guards import LossGuard
from train.loop import Done, Job, Stopped, prepare, schedule_of, train
from train.optim import make_optimizer
from train.plan import Plan
from train.processes import Processes
from train.run import (
    Record,
    check_output,
    new_record,
    remove_leftovers,
    started,
    write_record,
)
from train.seen import Seen, cut_log, logged, measures_of, open_trackers
from train.start import FINAL, make_processor, open_model, precisions
from train.validate import Validation


class Terminated(RegionForgeError):
    """A run that was asked to end by SIGTERM, and has saved where it is."""


@dataclass
class _Signal:
    """Whether SIGTERM has come."""

    came: bool = False

    def note(self, number: int, frame: FrameType | None) -> None:
        """Remember that it has come; the step at hand is done first."""
        self.came = True


@dataclass(kw_only=True)
class _Run:
    """A run while its steps are done."""

    plan: Plan
    processes: Processes
    model: RegionModel
    steps: int  # of the whole run
    guard: LossGuard
    terminated: _Signal
    validation: Validation | None = None
    seen: Seen | None = None  # of the first process

    def after_step(self, done: Done, optimizer: torch.optim.Optimizer) -> None:
        """See to all that follows a step."""
        steps = done.step + 1
        self.guard.check(done)
        measures = measures_of(done)
        every = self.plan.validate_every
        if self.validation and (steps % every == 0 or steps == self.steps):
            measures["validation_loss"] = self.validation.run(self.model, steps)
        if self.seen:
            self.seen.add(measures)
        (asked,) = self.processes.sums([int(self.terminated.came)])
        if asked or steps % self.plan.checkpoint_every == 0 or steps == self.steps:
            self.save(steps, done.epoch, optimizer)
        if asked and steps < self.steps:
            raise Terminated(
                f"ended by SIGTERM after step {done.step}; run the same command again to go on"
            )

    def save(self, steps: int, epoch: int, optimizer: torch.optim.Optimizer) -> None:
        """Write a checkpoint, and remove old ones."""
        save(
            self.plan.output,
            steps,
            self.model,
            optimizer,
            state={"epoch": epoch},
            processes=self.processes,
        )
        if self.processes.leads:
            keep_last(self.plan.output, self.plan.keep)


def launch(plan: Plan, processes: Processes) -> Path:
    """Run a plan to its end, or the rest of it, and return the folder of the model.

    Args:
        plan: see there.
        processes: those that take part.

    Raises:
        Terminated: SIGTERM has come, and the run can go on.
        RegionForgeError: it cannot be run.
    """
    torch.manual_seed(plan.recipe.seed)
    earlier = check_output(plan)
    last = checkpoints(plan.output)[-1:]
    done = read_state(last[0])["steps"] if last else 0
    losses = [line["loss"] for line in logged(plan.output) if line["step"] < done]
    processes.wait()  # no process reads the folder after another has written there
    job = job_of(plan, processes)
    steps = steps_of(plan, job)
    final = plan.output / FINAL
    if earlier and earlier.get("finished_steps") == done >= steps and final.is_dir():
        return final
    if processes.leads:
        _say_beginning(plan, done, steps)
    model = _opened(plan, processes)
    # The start may change the configuration, e.g. by vectors around a picture.
    processor = make_processor(plan.start, model.config, plan.recipe.max_length)
    record = earlier or new_record(plan)
    if done == 0 and plan.recipe.calibrate:
        record["calibration"] = _calibrate(model, processor, plan, job)
    prepare(model, plan.recipe, job)
    record["precision"] = precisions(model) | {"computation": plan.recipe.precision}
    record["starts"].append(started(plan, done, processes.world))
    stopped = None
    if last:
        optimizer = make_optimizer(model, plan.recipe)
        load(last[0], model, optimizer, processes)
        stopped = Stopped(optimizer=optimizer, steps=done)
    with ExitStack() as stack:
        run = _Run(
            plan=plan,
            processes=processes,
            model=model,
            steps=steps,
            guard=LossGuard(plan.spike, losses),
            terminated=stack.enter_context(_terminated()),
        )
        if processes.leads:
            plan.output.mkdir(parents=True, exist_ok=True)
            remove_leftovers(plan.output)
            write_record(plan.output, record)
            cut_log(plan.output, done)
            trackers = open_trackers(plan.output, plan.tracker, record)
            run.seen = stack.enter_context(Seen(plan.output, steps, trackers))
            if not done:
                _say_start(run.seen, record)
        if plan.validation is not None and plan.validate_every:
            run.validation = Validation(plan, processor, processes)
        if done < steps:
            train(model, processor, plan.recipe, job, stopped=stopped, after_step=run.after_step)
    save_final(model, processor, plan, processes, {**record, "steps": max(steps, done)})
    if processes.leads:
        write_record(plan.output, {**record, "finished_steps": max(steps, done)})
    processes.wait()
    return final


def _opened(plan: Plan, processes: Processes) -> RegionModel:
    """Return the model on its device; the processes of a host read it one after another.

    A model of 7 billion weights has 27 GB in float32, which all of them would need at once.
    """
    model = None
    for turn in range(processes.on_host):
        if turn == processes.rank % processes.on_host:
            model = open_model(plan.start, plan.recipe)
            if model.device != processes.device:
                model.to(processes.device)
        processes.wait()
    assert model is not None
    return model


def job_of(plan: Plan, processes: Processes) -> Job:
    """Return the part of a plan that the loop reads."""
    return Job(
        rows=plan.rows,
        micro_batch=plan.micro_batch,
        processes=processes,
        workers=plan.workers,
        max_steps=plan.max_steps,
        image_root=plan.image_root,
        sharded=plan.sharded,
        copy_per_host=plan.copy_per_host,
        recompute=plan.recompute,
        compiled=plan.compiled,
        weights=plan.weights,
    )


def steps_of(plan: Plan, job: Job) -> int:
    """Return the number of steps of a run."""
    schedule = schedule_of(plan.recipe, job)
    whole = schedule.count
    return whole if plan.max_steps is None else min(whole, plan.max_steps)


def _calibrate(
    model: RegionModel, processor: RegionProcessor, plan: Plan, job: Job
) -> dict[str, Any]:
    """Start the connector from the rows of the first step, the same ones in every process."""
    schedule = schedule_of(plan.recipe, job)
    first = next(schedule.steps())
    rows = first.rows[: plan.micro_batch * 8]
    examples = TrainingRows(
        plan.rows,
        processor,
        seed=plan.recipe.seed,
        regions_as=plan.recipe.regions_as,
        image_root=plan.image_root,
    )
    step = iter([Step(number=0, epoch=0, rows=rows, costs=first.costs[: len(rows)])])
    (_, (micro,)) = next(load_steps(step, examples, processor, Loading(micro_batch=len(rows))))
    if micro.batch is None:
        return {}
    return asdict(calibrate_connector(model, micro.batch))


def _say_beginning(plan: Plan, done: int, steps: int) -> None:
    """Print what will be computed, before the model is opened, which may take minutes."""
    start, rows = plan.start, counted(plan.recipe.batch, "row")
    origin = start.checkpoint or f"{start.vision} and {start.language}"
    notice(f"{plan.recipe.name}: {counted(steps, 'step')} of {rows}; opens {origin}")
    if done:
        notice(f"goes on after step {done - 1}, from {plan.output}")


def _say_start(seen: Seen, record: Record) -> None:
    """Print what the run starts with."""
    if calibration := record.get("calibration"):
        seen.say(
            f"connector started from {calibration['regions']} regions: the part of a region's "
            f"embedding that differs between regions is {calibration['after']:.2f} "
            f"(before: {calibration['before']:.2f})"
        )


@contextmanager
def _terminated() -> Iterator[_Signal]:
    """Yield what tells whether SIGTERM has come, and let it end the process again afterwards."""
    state = _Signal()
    before = signal.signal(signal.SIGTERM, state.note)
    try:
        yield state
    finally:
        signal.signal(signal.SIGTERM, before)

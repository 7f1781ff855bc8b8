"""A measurement: a model with random weights, trained for some steps, and what they tell."""

import resource
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from transformers import AutoModel

from model.flops import RowSizes, training_flops
from model.region_model import RegionModel
from train.bench.clock import STEPS, WARM_UP, Clock, Enough
from train.bench.floor import H200, adamw_seconds, sizes_of
from train.bench.plain import train_plainly
from train.bench.plan import Subject, Way
from train.data.example import TrainingExample
from train.loop import Done, train

Result = dict[str, Any]  # a line of the results
_GIB = 2**30


@dataclass(frozen=True)
class Trained:
    """What is left of a training: its clock, and the number of weights that trained."""

    clock: Clock
    weights: int


def measure(subject: Subject, way: Way, deadline: float | None) -> Result:
    """Return the result of a subject; or why there is none, under `error`.

    Args:
        subject: see there.
        way: ours, or plain library code.
        deadline: of `perf_counter`, after which no further step begins; None: ten steps.
    """
    begun = perf_counter()
    cuda = subject.setting.device.type == "cuda"
    known: Result = {
        "model": subject.preset,
        "recipe": subject.recipe.name,
        "way": way,
        "micro_batch": subject.micro_batch,
        "batch": subject.recipe.batch,
    }
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(subject.setting.device)
    try:
        trained = _trained(subject, way, deadline)
    except torch.OutOfMemoryError:
        return {**known, "error": "out of memory"}
    result = {**known, **_figures(subject, trained)}
    result["peak_memory_gib"] = round(_peak(subject.setting.device) / _GIB, 2)
    return {**result, "took_seconds": round(perf_counter() - begun, 1)}


def _trained(subject: Subject, way: Way, deadline: float | None) -> Trained:
    device = subject.setting.device
    torch.manual_seed(subject.recipe.seed)
    with torch.device(device):
        model: RegionModel = AutoModel.from_config(subject.config)
    clock = Clock(device, deadline)

    def after_step(done: Done, _optimizer: torch.optim.Optimizer) -> None:
        clock.after(done.ids, computed=done.result.tokens, waited=done.waited)

    try:
        if way == "plain":
            train_plainly(model, subject, clock)
        else:
            job = subject.job(WARM_UP + STEPS)
            train(model, subject.processor, subject.recipe, job, after_step=after_step)
    except Enough:
        pass
    return Trained(clock, sum(p.numel() for p in model.parameters() if p.requires_grad))


def _figures(subject: Subject, trained: Trained) -> Result:
    """Return the figures of the steps that were measured."""
    clock = trained.clock
    sizes = _sizes(subject, clock)
    rows, tokens = len(sizes.tokens), int(sizes.tokens.sum())
    flops = float(training_flops(subject.config, subject.recipe.stage, sizes).sum())
    seconds = clock.seconds
    figures: Result = {
        "steps": clock.steps,
        "rows": rows,
        "seconds": round(seconds, 3),
        "milliseconds_a_row": round(1000 * seconds / rows, 2),
        "rows_a_second": round(rows / seconds, 3),
        "tokens_a_row": round(tokens / rows),
        "tokens_a_second": round(tokens / seconds, 1),
        "padding": round(1 - tokens / clock.computed, 4),
        "waiting_for_rows": round(clock.waited / seconds, 4),
        "model_teraflops_a_second": float(f"{flops / seconds / 1e12:.4g}"),
    }
    if subject.setting.device.type == "cuda":
        floor = flops / H200.products + clock.steps * adamw_seconds(trained.weights)
        figures["mfu"] = round(flops / seconds / H200.stated, 4)
        figures["floor_milliseconds_a_row"] = round(1000 * floor / rows, 2)
        figures["times_the_floor"] = round(seconds / floor, 3)
    return figures


def _sizes(subject: Subject, clock: Clock) -> RowSizes:
    """Return the sizes of the rows that were trained on; they are made once more for that."""
    numbers = {name: number for number, name in enumerate(subject.rows().ids())}
    examples = subject.examples()
    made = (examples[0, numbers[name]] for name in clock.ids)
    return sizes_of([row.example for row in made if isinstance(row, TrainingExample)])


def _peak(device: torch.device) -> int:
    """Return the peak of the memory: of torch on a GPU, else of the whole process so far."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_reserved(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

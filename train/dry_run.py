"""What a run would do, before anything is spent on it."""

import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from model.config import IGNORED, RegionConfig
from model.processor import RegionProcessor
from model.region_model import RegionModel
from schemas.counted import counted
from schemas.duration import duration
from train.data.example import TrainingExample, TrainingRows
from train.data.mix import SomeRows
from train.launch import job_of, steps_of
from train.loop import Job, schedule_of
from train.plan import Plan
from train.processes import Processes
from train.sharding import computes_in_bfloat16
from train.start import empty_model, make_processor, prepared, read_config

_TRIED = 1000  # rows that are encoded, with their pictures, chosen by hash
_WARNING = 0.01  # share of turns or tokens that the greatest length drops
_UNLIMITED = 10**9
_GIB = 2**30


@dataclass
class Tried:
    """The rows that were encoded as in training."""

    rows: int = 0
    tokens: int = 0  # without padding
    supervised: Counter[str] = field(default_factory=Counter)  # tokens, by task
    turns: int = 0
    dropped_turns: int = 0
    dropped_tokens: int = 0  # supervised
    rejected: list[str] = field(default_factory=list)  # reasons

    @property
    def dropped(self) -> tuple[float, float]:
        """The shares of turns and of supervised tokens that are dropped."""
        tokens = self.supervised.total() + self.dropped_tokens
        return self.dropped_turns / max(1, self.turns), self.dropped_tokens / max(1, tokens)


def dry_run(plan: Plan, *, rate: float | None) -> str:
    """Return what a run would do, as lines.

    Args:
        plan: see there.
        rate: rows a second, as measured or hoped for; None: no time.

    Raises:
        RegionForgeError: a row or a picture cannot be read, or the model's folder.
    """
    config = read_config(plan.start)
    processor = make_processor(plan.start, config, plan.recipe.max_length)
    unlimited = make_processor(plan.start, _longer(config), _UNLIMITED)
    tried = try_rows(plan, processor, unlimited)
    job = job_of(plan, Processes(device=torch.device("cpu")))
    lines = [*_row_lines(plan, job), *_token_lines(plan, tried)]
    steps = steps_of(plan, job)
    rows, epochs = counted(plan.recipe.batch, "row"), counted(plan.recipe.epochs, "epoch")
    lines.append(f"steps     {steps:,} of {rows}, {epochs}")
    lines += memory_lines(_counted(plan, config), plan)
    if rate is not None:
        time = duration(steps * plan.recipe.batch / rate)
        lines.append(f"time      {time} at {rate:g} rows a second")
    else:
        lines.append("time      name the rows a second by --rate")
    return "\n".join([*lines, *_warnings(tried, processor.max_length)]) + "\n"


def try_rows(plan: Plan, processor: RegionProcessor, unlimited: RegionProcessor) -> Tried:
    """Encode some rows, chosen by hash, as in training.

    Args:
        plan: states the rows.
        processor: with the run's greatest length.
        unlimited: without one, for what is dropped.
    """
    rows = SomeRows(plan.rows, _TRIED, plan.recipe.seed)
    seed, regions_as, root = plan.recipe.seed, plan.recipe.regions_as, plan.image_root
    made, whole = (
        TrainingRows(rows, one, seed=seed, regions_as=regions_as, image_root=root)
        for one in (processor, unlimited)
    )
    tried = Tried()
    for number in range(len(rows)):
        tasks = list(rows[number]["turn_tasks"])
        tried.rows += 1
        tried.turns += len(tasks)
        example = made[0, number]
        if isinstance(example, TrainingExample):
            answers = list(answer_lengths(example.example.labels or []))
            for task, length in zip(tasks, answers, strict=False):
                tried.supervised[task] += length
            tried.tokens += len(example.example.input_ids)
            tried.dropped_turns += example.dropped_turns
            if not example.dropped_turns:
                continue
            kept = example.supervised
        else:
            tried.rejected.append(example.reason)
            tried.dropped_turns += len(tasks)
            kept = 0
        full = whole[0, number]
        assert isinstance(full, TrainingExample)
        tried.dropped_tokens += full.supervised - kept
    return tried


def answer_lengths(labels: list[int]) -> Iterator[int]:
    """Yield the number of supervised tokens of each answer: [-100, 5, 6, -100, 7] has 2 and 1."""
    length = 0
    for label in [*labels, IGNORED]:
        if label != IGNORED:
            length += 1
        elif length:
            yield length
            length = 0


def memory_lines(model: RegionModel, plan: Plan) -> list[str]:
    """Return the bytes that weights, gradients and moments take, of all processes together.

    Args:
        model: without weights, frozen as in the run.
        plan: states the precision of what is frozen.
    """
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    frozen = sum(p.numel() for p in model.parameters() if not p.requires_grad)
    half = computes_in_bfloat16(plan.recipe.precision, plan.device)
    quarter = plan.start.quantized
    parts = {
        "trained weights": trained * 4,
        "frozen weights": frozen * (2 if half else 4) // (4 if quarter else 1),
        "gradients": trained * 4,
        "AdamW's moments": trained * 8,
    }
    total = sum(parts.values())
    shown = ", ".join(f"{name} {size / _GIB:.2f}" for name, size in parts.items())
    return [
        f"weights   {trained:,} train, {frozen:,} are frozen",
        f"memory    {total / _GIB:.2f} GiB before activations: {shown}",
    ]


def _counted(plan: Plan, config: RegionConfig) -> RegionModel:
    return prepared(empty_model(config), plan.recipe.stage, plan.start.lora)


def _longer(config: RegionConfig) -> RegionConfig:
    """Return a configuration whose language model takes rows of any length."""
    longer = copy.deepcopy(config)
    longer.text_config.max_position_embeddings = _UNLIMITED
    return longer


def _row_lines(plan: Plan, job: Job) -> list[str]:
    schedule = schedule_of(plan.recipe, job)
    configs = plan.rows.configs()
    counts = Counter(configs[number] for step in schedule.epoch(0) for number in step)
    shown = ", ".join(f"{config} {count:,}" for config, count in sorted(counts.items()))
    return [f"rows      {counts.total():,} an epoch: {shown}"]


def _token_lines(plan: Plan, tried: Tried) -> list[str]:
    """Return the tokens by task, of all rows by those that were tried."""
    factor = len(plan.rows) / tried.rows
    about = "" if factor == 1 else "about "
    shown = ", ".join(
        f"{task} {round(count * factor):,}" for task, count in sorted(tried.supervised.items())
    )
    return [
        f"tokens    {about}{round(tried.tokens * factor):,} of all rows, supervised: {shown}",
        f"tried     {tried.rows:,} rows with their pictures, chosen by hash",
    ]


def _warnings(tried: Tried, most: int | None) -> list[str]:
    turns, tokens = tried.dropped
    line = (
        f"dropped   {turns:.2%} of turns, {tokens:.2%} of supervised tokens, beyond {most} tokens"
    )
    if max(turns, tokens) <= _WARNING:
        return [line]
    return [line, f"warning: over {_WARNING:.0%} is dropped: raise --max-length, or build shorter"]

"""The steps of a run: for each optimizer step, this process's micro-batches, made ahead by workers.

    Schedule          the rows of every step, which the rows' ids, the seed and the batch decide
    load_steps        of each step, the part of this process in micro-batches, each packed in a row

Nothing depends on the number of workers, and a run goes on at any step. All processes have the same
number of micro-batches in a step, as they compute together; a process may have one without rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import tee
from multiprocessing import get_context
from multiprocessing.context import BaseContext

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from model.batch import RegionBatch
from model.processor import RegionProcessor
from schemas.errors import RegionForgeError
from train.data.example import Rejected, TrainingExample, TrainingRows
from train.data.order import Costs, Indices, batches, dealt, epoch_order

Key = tuple[int, int]  # epoch, number of the row


@dataclass(frozen=True, kw_only=True)
class Step:
    """The rows of one optimizer step of all processes."""

    number: int  # from 0, over all epochs
    epoch: int
    rows: Indices  # from the most to the least costly
    costs: Costs


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The steps of a run."""

    ids: Sequence[str]  # of all rows
    costs: Costs  # of all rows
    batch: int  # rows of a step
    epochs: int
    seed: int
    shares: NDArray[np.float64] | None = None  # how often each row comes in an epoch

    @cached_property
    def count(self) -> int:
        """The number of steps of all epochs."""
        if self.shares is None:  # each row comes once: no order need be made to count
            return self.epochs * -(-len(self.ids) // self.batch)
        return sum(len(self.epoch(number)) for number in range(self.epochs))

    def steps(self, start: int = 0) -> Iterator[Step]:
        """Yield the steps of all epochs from the step `start` on."""
        number = 0
        for epoch in range(self.epochs):
            for rows in self.epoch(epoch):
                if number >= start:
                    yield Step(number=number, epoch=epoch, rows=rows, costs=self.costs[rows])
                number += 1

    def epoch(self, number: int) -> list[Indices]:
        """Return the rows of each step of an epoch."""
        order = epoch_order(self.ids, seed=self.seed, epoch=number, shares=self.shares)
        return batches(order, self.costs, self.batch)


@dataclass(frozen=True, kw_only=True)
class MicroBatch:
    """The rows of one forward pass of this process."""

    batch: RegionBatch | None  # None: there are no rows, or all were rejected
    ids: tuple[str, ...]
    supervised: int  # tokens with a loss
    tokens: int  # without padding
    dropped_turns: int
    rejected: tuple[Rejected, ...]


@dataclass(frozen=True, kw_only=True)
class Loading:
    """The part of this process in each step, and the way in which it is loaded."""

    micro_batch: int  # rows, at most
    rank: int = 0
    world: int = 1
    workers: int = 0
    pinned: bool = False

    def parts(self, step: Step) -> list[list[Key]]:
        """Return the rows of each micro-batch of this process."""
        turns = -(-len(step.rows) // (self.world * self.micro_batch))
        mine = dealt(step.rows, step.costs, turns * self.world)[self.rank :: self.world]
        return [[(step.epoch, number) for number in part.tolist()] for part in mine]


def load_steps(
    steps: Iterator[Step], rows: TrainingRows, processor: RegionProcessor, loading: Loading
) -> Iterator[tuple[Step, list[MicroBatch]]]:
    """Yield each step with this process's micro-batches.

    Args:
        steps: of `Schedule.steps`.
        rows: the examples.
        processor: joins examples to batches.
        loading: see there.

    Raises:
        RegionForgeError: a row or its picture cannot be read.
    """
    steps, ahead = tee(steps)
    made = iter(
        DataLoader(
            _MicroBatches(rows, processor),
            sampler=(keys for step in ahead for keys in loading.parts(step)),
            batch_size=None,
            num_workers=loading.workers,
            pin_memory=loading.pinned,
            multiprocessing_context=_worker_context() if loading.workers else None,
        )
    )
    for step in steps:
        yield step, [_unless_failed(next(made)) for _ in loading.parts(step)]


class _MicroBatches(Dataset[MicroBatch | RegionForgeError]):
    """Micro-batches by the keys of their rows.

    An error of a worker is handed over as a value: torch would put its own traceback before it.
    """

    def __init__(self, rows: TrainingRows, processor: RegionProcessor) -> None:
        self._rows = rows
        self._processor = processor

    def __getitem__(self, keys: list[Key]) -> MicroBatch | RegionForgeError:
        try:
            made = [self._rows[key] for key in keys]
        except RegionForgeError as error:
            return error
        kept = [row for row in made if isinstance(row, TrainingExample)]
        examples = [row.example for row in kept]
        return MicroBatch(
            batch=self._processor.collate(examples, packed=True) if examples else None,
            ids=tuple(row.id for row in kept),
            supervised=sum(row.supervised for row in kept),
            tokens=sum(len(row.example.input_ids) for row in kept),
            dropped_turns=sum(row.dropped_turns for row in kept),
            rejected=tuple(row for row in made if isinstance(row, Rejected)),
        )


def _worker_context() -> BaseContext:
    """Return the way in which workers start: from a clean process that has imported all once.

    A fork of this process would copy its threads' locks, and what it holds of a GPU.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _unless_failed(made: MicroBatch | RegionForgeError) -> MicroBatch:
    if isinstance(made, RegionForgeError):
        raise made
    return made

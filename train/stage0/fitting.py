"""The small loop of stage 0: some steps of AdamW on the rows of a build."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from train.data.order import epoch_order

_CLIP = 1.0  # the most that the gradient's norm may be

Progress = Callable[[int, float], None]  # after a step: its number from 0, its loss


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """The way in which a tower is trained."""

    steps: int
    batch: int  # rows
    learning_rate: float = 2e-3
    warmup_steps: int = 20
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.98)
    seed: int = 0

    def rate(self, step: int) -> float:
        """Return the learning rate of a step: linear warm-up, and half a cosine down to 0."""
        warm = min(1.0, (step + 1) / self.warmup_steps)
        return self.learning_rate * warm * (1 + math.cos(math.pi * step / self.steps)) / 2


def fit(
    module: nn.Module,
    ids: Sequence[str],
    fitting: Fitting,
    loss_of: Callable[[list[int]], Tensor],
    progress: Progress,
) -> None:
    """Train a module.

    Args:
        module: all of whose parameters train.
        ids: of the rows.
        fitting: see there.
        loss_of: the loss of a step from the numbers of its rows.
        progress: called after each step.
    """
    module.train()
    optimizer = torch.optim.AdamW(
        module.parameters(),
        lr=fitting.learning_rate,
        betas=fitting.betas,
        weight_decay=fitting.weight_decay,
    )
    numbers = _endless(ids, fitting.seed)
    for step in range(fitting.steps):
        optimizer.param_groups[0]["lr"] = fitting.rate(step)
        loss = loss_of([next(numbers) for _ in range(fitting.batch)])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        clip_grad_norm_(module.parameters(), _CLIP)
        optimizer.step()
        progress(step, float(loss.detach()))
    module.eval()


def _endless(ids: Sequence[str], seed: int) -> Iterator[int]:
    """Yield the numbers of the rows, epoch after epoch."""
    epoch = 0
    while True:
        yield from epoch_order(ids, seed=seed, epoch=epoch).tolist()
        epoch += 1

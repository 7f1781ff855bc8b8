"""One optimizer step: forward and backward of each micro-batch, then the update.

The loss of a step is the sum over all its supervised tokens, of all micro-batches and processes,
divided by their number. So neither accumulation nor padding nor the number of processes changes it;
LLaVA's trainer, in contrast, takes the mean of the means of micro-batches.

The host waits for the device once, when all of a step is on its way: counts, loss and norm stay on
the device, which also decides whether the update is made.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.nn.utils import clip_grads_with_norm_, get_total_norm

from model.batch import RegionBatch
from model.region_model import RegionModel
from train.data.loader import MicroBatch
from train.processes import Processes
from train.recipes import Precision
from train.sharding import computes_in_bfloat16, is_sharded

# One token without a loss.
EMPTY = RegionBatch(
    {
        "input_ids": torch.zeros(1, 1, dtype=torch.int64),
        "loss_positions": torch.zeros(0, dtype=torch.int64),
        "loss_targets": torch.zeros(0, dtype=torch.int64),
    }
)


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """The measures of a step, over all processes."""

    loss: float  # per supervised token, before the update
    gradient_norm: float  # before clipping
    supervised: int  # tokens with a loss
    tokens: int  # without padding
    rows: int
    dropped_turns: int  # answers that rows of the greatest length have no room for
    rejected: int  # rows


def optimize(
    model: RegionModel,
    optimizer: torch.optim.Optimizer,
    micros: Sequence[MicroBatch],
    *,
    clip: float,
    precision: Precision,
    processes: Processes,
) -> StepResult:
    """Update the model by one step; without a supervised token, and with a loss that is no number,
    it stays as it is.

    Args:
        model: in training mode.
        optimizer: of the parameters that train.
        micros: this process's micro-batches.
        clip: the most that the norm of the gradient may be.
        precision: of the computation.
        processes: those that take part.
    """
    counts = processes.totals(
        [
            sum(micro.supervised for micro in micros),
            sum(micro.tokens for micro in micros),
            sum(len(micro.ids) for micro in micros),
            sum(micro.dropped_turns for micro in micros),
            sum(len(micro.rejected) for micro in micros),
        ]
    )
    items = counts[0].clamp(min=1)
    optimizer.zero_grad(set_to_none=True)
    loss = torch.zeros((), device=processes.device)
    sharded = is_sharded(model)
    for micro in micros:
        batch = micro.batch if micro.supervised else None
        if batch is None and sharded:  # each process takes part in gathering and summing
            batch = EMPTY
        if batch is not None:
            part = batch_loss(model, batch, items, precision, processes.device)
            if part.requires_grad:  # else nothing that trains has a part in it
                part.backward()
            loss += part.detach()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    if not sharded:
        processes.add_gradients(parameters)
    norm = clip_gradients(parameters, clip)
    processes.add(loss)
    norm = norm.to(loss)
    _update(optimizer, torch.isfinite(loss) & torch.isfinite(norm) & (counts[0] > 0))
    return _measured(torch.cat([torch.stack([loss, norm]).double(), counts.double()]))


def _update(optimizer: torch.optim.Optimizer, right: Tensor) -> None:
    """Do the optimizer's step where `right` is true, by what a fused one has for scaled losses."""
    optimizer.grad_scale, optimizer.found_inf = None, (~right).float()
    optimizer.step()


def _measured(values: Tensor) -> StepResult:
    """Return the measures of a step, for which the host waits here."""
    loss, norm, *counts = values.tolist()
    supervised, tokens, rows, dropped_turns, rejected = map(int, counts)
    return StepResult(
        loss=loss,
        gradient_norm=norm,
        supervised=supervised,
        tokens=tokens,
        rows=rows,
        dropped_turns=dropped_turns,
        rejected=rejected,
    )


def clip_gradients(parameters: Sequence[nn.Parameter], clip: float) -> Tensor:
    """Scale gradients down to a norm, and return the norm that they had, of all parts together."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = get_total_norm(gradients)
    if isinstance(norm, DTensor):
        norm = norm.full_tensor()
    clip_grads_with_norm_(parameters, clip, norm)
    return norm


def batch_loss(
    model: RegionModel,
    batch: RegionBatch,
    supervised: Tensor | int,
    precision: Precision,
    device: torch.device,
) -> Tensor:
    """Return the sum of a batch's token losses, divided by `supervised`; in float32.

    The batch is on the host, whose segments are read there.
    """
    inputs: dict[str, Any] = {
        name: tensor.to(device, non_blocking=True)
        for name, tensor in batch.items()
        # With loss_positions, the head sees supervised tokens alone.
        if name != "labels"
    }
    if "segment_offsets" in batch:
        inputs["longest_segment"] = int(batch["segment_offsets"].diff().max())
    half = computes_in_bfloat16(precision, device)
    with torch.autocast(device.type, torch.bfloat16) if half else nullcontext():
        loss: Tensor = model(**inputs, num_items_in_batch=supervised).loss
    return loss

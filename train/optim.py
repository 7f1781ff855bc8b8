"""The optimizer of a recipe: groups of parameters, and the learning rate of each step."""

import math
from collections.abc import Mapping

import torch
from torch import nn
from torch.optim import AdamW

from train.recipes import TrainRecipe


def make_optimizer(model: nn.Module, recipe: TrainRecipe) -> AdamW:
    """Return AdamW over the parameters that train, in groups by their weight decay.

    Args:
        model: of which `model.stages.freeze_for` has frozen the rest.
        recipe: states the decay by part of the model; biases, norms and other vectors have none.
    """
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            decay = _decay(name, recipe.weight_decay) if parameter.ndim > 1 else 0.0
            groups.setdefault(decay, []).append(parameter)
    return AdamW(
        [{"params": groups[decay], "weight_decay": decay} for decay in sorted(groups)],
        lr=recipe.learning_rate,
        betas=recipe.betas,
        eps=recipe.epsilon,
        fused=True,  # a step in one kernel, which `train.step` has it leave out on the device
    )


def learning_rate(recipe: TrainRecipe, step: int, steps: int) -> float:
    """Return the learning rate of a step: linear warm-up, then half a cosine down to 0.

    Args:
        recipe: states the highest rate and the warm-up.
        step: from 0.
        steps: of the whole run.
    """
    warmup = recipe.warmup_steps
    if warmup is None:
        warmup = math.ceil(recipe.warmup_share * steps)
    if step < warmup:
        return recipe.learning_rate * step / warmup
    done = (step - warmup) / max(1, steps - warmup)
    return recipe.learning_rate * (1 + math.cos(math.pi * min(done, 1.0))) / 2


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all groups."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def _decay(name: str, by_part: Mapping[str, float]) -> float:
    """Return the decay of a parameter: that of the longest part that its name begins with."""
    parts = [part for part in by_part if name == part or name.startswith(f"{part}.")]
    return by_part[max(parts, key=len)] if parts else 0.0

"""A whole step of training at full size, on a device without memory."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from bench.static.cases import (
    Case,
    Mix,
    as_on_cuda,
    computed_tokens,
    laid_out,
    packed,
    pretended_group,
    run_step,
)
from bench.static.memory import PeakMemory
from bench.static.operators import Operators
from bench.static.pretend import device
from model.flops import RowSizes
from train import optim, step
from train.bench.floor import sizes_of
from train.layers import Recompute

_MOMENTS = 8  # bytes of a weight, which are there in every step but the first


@dataclass(frozen=True, kw_only=True)
class WholeStep:
    """What was seen of a step."""

    tokens: int  # of its first micro-batch, that are computed
    sizes: RowSizes  # of that one's rows
    trained: int  # weights
    types: Counter[str]  # of weights, e.g. "float32, trained": their number
    reads: Counter[str]  # values that the host waited for, by place in the code
    operators: Operators
    peak: int  # bytes, AdamW's moments too


def whole_step(
    case: Case, layers: Recompute = "none", numbers: Sequence[int] = (0,), kept: float = 0.0
) -> WholeStep:
    """Return what is seen of a step of a case, all but the arithmetic of its optimizer.

    Args:
        case: see there.
        layers: what the backward pass computes again of the language model.
        numbers: of the micro-batches of the step, in the case's mix.
        kept: bytes that a token leaves for the backward pass of each layer beside what it does.
    """
    mix = Mix(case)
    examples = [mix.examples(number) for number in numbers]
    micros = [packed(mix.processor, rows) for rows in examples]
    operators, memory = Operators(), PeakMemory()
    clip = step.clip_gradients
    peaks: list[int] = []

    def clipped(*args: Any) -> Tensor:
        peaks.append(memory.peak)  # what follows is done in place, but not where shapes alone are
        return clip(*args)

    with (
        as_on_cuda(),
        pretended_group(1) as processes,
        device(operators) as pretended,
        patch.object(step, "clip_gradients", clipped),
    ):
        model = laid_out(case, processes, layers)
        for layer in model.language_model.get_decoder().layers if kept else ():
            layer.register_forward_hook(partial(_with_more, kept))
        optimizer = optim.make_optimizer(model, case.recipe)
        optimizer.step = lambda: None  # as torch's fake one makes copies, where a GPU's makes none
        memory.track_external(model)
        with memory:
            run_step(model, optimizer, micros, processes=processes)
        weights = list(model.parameters())
    trained = sum(weight.numel() for weight in weights if weight.requires_grad)
    types: Counter[str] = Counter()
    for weight in weights:
        word = "trained" if weight.requires_grad else "frozen"
        types[f"{str(weight.dtype).removeprefix('torch.')}, {word}"] += weight.numel()
    return WholeStep(
        tokens=computed_tokens(micros[0]),
        sizes=sizes_of(examples[0]),
        trained=trained,
        types=types,
        reads=pretended.reads,
        operators=operators,
        peak=max(peaks) + _MOMENTS * trained,
    )


def _with_more(kept: float, _layer: Any, _inputs: Any, state: Tensor) -> Tensor:
    """Return the state after a layer, for whose backward pass a token has left so many bytes."""
    count = round(kept * state.shape[:2].numel())
    result: Tensor = _Left.apply(state, state.new_empty(count, dtype=torch.uint8))
    return result


class _Left(torch.autograd.Function):
    """A state as it is, and memory that is there until its gradient is known."""

    @staticmethod
    def forward(context: Any, state: Tensor, memory: Tensor) -> Tensor:
        context.save_for_backward(memory)
        return state.view_as(state)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None

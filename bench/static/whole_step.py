"""A whole step of training at full size, on a device without memory."""

from collections import Counter
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from torch import Tensor

from bench.static.cases import Case, Mix, as_on_cuda, laid_out, pretended_group, run_step
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
    """What was seen of a step of one micro-batch."""

    tokens: int
    sizes: RowSizes  # of its rows
    trained: int  # weights
    types: Counter[str]  # of weights, e.g. "float32, trained": their number
    reads: Counter[str]  # values that the host waited for, by place in the code
    operators: Operators
    peak: int  # bytes, AdamW's moments too


def whole_step(case: Case, layers: Recompute = "none") -> WholeStep:
    """Return what is seen of a step of a case, all but the arithmetic of its optimizer."""
    mix = Mix(case)
    micro = mix.micro()
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
        optimizer = optim.make_optimizer(model, case.recipe)
        optimizer.step = lambda: None  # as torch's fake one makes copies, where a GPU's makes none
        memory.track_external(model)
        with memory:
            run_step(model, optimizer, [micro], processes=processes)
        weights = list(model.parameters())
    trained = sum(weight.numel() for weight in weights if weight.requires_grad)
    types: Counter[str] = Counter()
    for weight in weights:
        word = "trained" if weight.requires_grad else "frozen"
        types[f"{str(weight.dtype).removeprefix('torch.')}, {word}"] += weight.numel()
    return WholeStep(
        tokens=micro.tokens,
        sizes=sizes_of([row.example for row in mix.examples(case.rows)]),
        trained=trained,
        types=types,
        reads=pretended.reads,
        operators=operators,
        peak=max(peaks) + _MOMENTS * trained,
    )

"""The collectives of a step of eight processes, counted on models of the papers' depth.

Their number follows from the number of blocks, not from their width, which is small here.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import ClassVar

from torch.distributed.tensor.debug import CommDebugMode

from bench.static.cases import Case, Mix, laid_out, pretended_group, run_step
from bench.static.narrow import narrowed
from train import optim

WORLD = 8
GATHERED, SCATTERED, SUMMED = "all-gather", "reduce-scatter", "all-reduce"
_KINDS = {
    "allgather": GATHERED,
    "all_gather": GATHERED,
    "reduce_scatter": SCATTERED,
    "allreduce": SUMMED,
    "all_reduce": SUMMED,
}


class _NoModules(nullcontext[None]):
    """All operators as those of one module: the hooks by which others are told change outputs."""

    name = "Global"
    is_bw = activation_checkpointing = False
    module_parents_dict: ClassVar[Mapping[str, Sequence[str]]] = {"Global": ()}


def collectives(case: Case) -> Counter[str]:
    """Return the number of collectives of a step of one micro-batch, by kind."""
    small = replace(narrowed(case), rows=2)
    micro = Mix(small).micro()
    counts: Counter[str] = Counter()
    with pretended_group(WORLD) as processes:
        model = laid_out(small, processes, "none")
        optimizer = optim.make_optimizer(model, small.recipe)
        seen = CommDebugMode()
        seen.advanced_module_tracker = _NoModules()
        with seen:
            run_step(model, optimizer, [micro], processes=processes)
    for operator, count in seen.get_comm_counts().items():
        counts[_kind(str(operator))] += count
    return counts


def allowed(case: Case) -> dict[str, int]:
    """Return the most collectives of each kind.

    In parts, a block is gathered for its forward pass and again for its backward pass, and its
    gradient is scattered; so is the rest of the model, gathered once. Whole, only gradients are
    summed. Beside them the counts, the gradient's norm and the loss are.
    """
    blocks = case.config.text_config.num_hidden_layers
    if case.trains_language:
        return {GATHERED: 2 * blocks + 1, SCATTERED: blocks + 1, SUMMED: 3}
    return {GATHERED: 0, SCATTERED: 0, SUMMED: 3}


def _kind(operator: str) -> str:
    return next((kind for word, kind in _KINDS.items() if word in operator), operator)

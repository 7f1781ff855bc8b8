"""The proofs of a case: what is measured, the bar, and whether it holds."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench.static.cases import BATCHES, Case, Mix
from bench.static.collectives import allowed, collectives
from bench.static.graphs import compiled, kept_bytes
from bench.static.saved import saved_bytes
from bench.static.times import time_table
from bench.static.whole_step import WholeStep, whole_step
from model.flops import flops_by_part
from train.bench.floor import H200

TOKENS = 8192  # of a micro-batch, at least: products that are not limited by memory
READS = 1  # places of a step: its loss and norm, once all of it is on its way
_COUNTED = 0.02  # by how much FLOPs that are counted may differ from those that are added up
_MB, _GIB = 1e6, 2**30
_LOW_BYTES = 2  # of a number in bfloat16


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of the report."""

    what: str
    seen: str
    bar: str = ""
    holds: bool = True

    def __str__(self) -> str:
        """Return the line as it is printed."""
        bar = f"   [{self.bar}]" if self.bar else ""
        return f"  {self.what:<34} {self.seen}{bar}{'' if self.holds else '   MISSED'}"


def of_graphs(case: Case) -> Iterator[Line]:
    """Yield what torch.compile does with the layers."""
    seen = compiled(case)
    shown = f"{len(seen.breaks)} breaks, {seen.first} graphs at first, {seen.later} later"
    yield Line(
        what=f"compiled over {BATCHES} batches",
        seen="; ".join([shown, *(reason.splitlines()[0] for reason in seen.breaks)]),
        bar="no break, none later",
        holds=not seen.breaks and not seen.later and seen.first > 0,
    )


def of_saved(case: Case) -> Iterator[Line]:
    """Yield what is kept for the backward pass."""
    saved = saved_bytes(case)
    blocks = case.config.text_config.num_hidden_layers
    before, after = (kept_bytes(case, compiled=compiled) for compiled in (False, True))
    token = saved.token + blocks * (after.layer - saved.block) + after.norm - before.norm
    yield Line(
        what="kept of a token, compiled",
        seen=f"{token / _MB:.2f} MB ({saved.token / _MB:.2f} uncompiled)",
        bar=f"at most {case.saved} MB",
        holds=token <= case.saved * _MB,
    )
    yield Line(
        what="kept of a picture",
        seen=f"{saved.picture / _MB:.0f} MB",
        bar=f"at most {case.picture:.0f} MB",
        holds=saved.picture <= case.picture * _MB,
    )
    yield Line(what="kept of a region", seen=f"{saved.region / _MB:.2f} MB")
    yield Line(what="kept of a supervised token, more", seen=f"{saved.supervised / _MB:.2f} MB")


def of_memory(case: Case) -> Iterator[Line]:
    """Yield the peak of a step's memory, with the largest of some micro-batches.

    Layers keep their input alone there, and tensors that are as large as what compiled ones keep
    more. A layer that is computed again takes at least what a compiled one does. Where a step has
    several micro-batches, gradients are there from the second one on: two tell the peak of all.
    """
    mix = Mix(case)
    tokens = mix.tokens()
    largest, most = tokens.index(max(tokens)), max(tokens)
    more = kept_bytes(case, compiled=True).layer - _LOW_BYTES * case.config.text_config.hidden_size
    step = whole_step(case, "all", [largest] * min(mix.passes, 2), kept=more)
    yield Line(
        what="peak memory of a step, compiled",
        seen=f"{step.peak / _GIB:.1f} GiB with {most:,} tokens, the most of {BATCHES} passes",
        bar=f"at most {H200.memory / _GIB:.0f} GiB",
        holds=step.peak <= H200.memory,
    )


def of_collectives(case: Case) -> Iterator[Line]:
    """Yield the collectives of a step on several GPUs."""
    seen, most = collectives(case), allowed(case)
    yield Line(
        what="collectives of a step, 8 GPUs",
        seen=", ".join(f"{count} {kind}" for kind, count in sorted(seen.items())),
        bar=", ".join(f"{count} {kind}" for kind, count in sorted(most.items())),
        holds=all(count <= most.get(kind, 0) for kind, count in seen.items()) and bool(seen),
    )


def of_step(case: Case) -> Iterator[Line]:
    """Yield what a whole step at full size does, and the times of a row."""
    step = whole_step(case)
    yield _reads(step)
    yield _types(step)
    yield _shapes(case, step, Mix(case).tokens())
    yield _flops(case, step)
    yield from _times(case, step)


def _reads(step: WholeStep) -> Line:
    places = "; ".join(f"{count} values at {place}" for place, count in step.reads.items())
    return Line(
        what="waits of the host for the device",
        seen=places or "none",
        bar=f"{READS}, after the update",
        holds=len(step.reads) <= READS,
    )


def _types(step: WholeStep) -> Line:
    weights = ", ".join(f"{count / 1e6:,.0f} M {kind}" for kind, count in step.types.items())
    faults = "; ".join(f"{count} {fault}" for fault, count in step.operators.faults.items())
    return Line(
        what="weights",
        seen="; ".join(filter(None, [weights, faults])),
        bar="products in bfloat16, norms and loss in float32",
        holds=not step.operators.faults,
    )


def _shapes(case: Case, step: WholeStep, tokens: Sequence[int]) -> Line:
    """Return whether all of a micro-batch's tokens are in one product with each weight.

    The tokens are those of several micro-batches.
    """
    parts = flops_by_part(case.config, case.recipe.stage, step.sizes)
    share = step.operators.flops_with(step.tokens) / parts["language model"].sum()
    span = f"{min(tokens):,} to {max(tokens):,} tokens"
    return Line(
        what="products with all tokens at once",
        seen=f"{share:.1%} of the language model's FLOPs, {span}",
        bar=f"99 %, {TOKENS:,} tokens",
        holds=share >= 0.99 and min(tokens) >= TOKENS,
    )


def _flops(case: Case, step: WholeStep) -> Line:
    parts = flops_by_part(case.config, case.recipe.stage, step.sizes)
    added = float(sum(counts.sum() for name, counts in parts.items() if name != "attention"))
    share = step.operators.flops / added
    return Line(
        what="FLOPs of products, counted",
        seen=f"{share:.3f} of those added up, {added / 1e12:.0f} TFLOP",
        bar=f"within {_COUNTED:.0%}",
        holds=abs(share - 1) <= _COUNTED,
    )


def _times(case: Case, step: WholeStep) -> Iterator[Line]:
    rows = len(step.sizes.tokens)
    moved = step.operators.moved / rows
    table = time_table(case, step.sizes, moved=moved, trained=step.trained)
    tokens = step.sizes.tokens.mean()
    yield Line(what=f"a mean row, {tokens:.0f} tokens", seen="TFLOP or GB      ms")
    for part, count, milliseconds in table:
        yield Line(what=f"  {part}", seen=f"{count:11.3f} {milliseconds:7.2f}")
    floor = sum(milliseconds for *_, milliseconds in table[:-1])
    yield Line(what="  floor: all but other operators", seen=f"{'':11} {floor:7.2f}")
    yield Line(
        what="  as written, without a compiler", seen=f"{'':11} {floor + table[-1][-1]:7.2f}"
    )


PROOFS: dict[str, Callable[[Case], Iterator[Line]]] = {
    "collectives": of_collectives,
    "graphs": of_graphs,
    "saved": of_saved,
    "memory": of_memory,
    "step": of_step,
}

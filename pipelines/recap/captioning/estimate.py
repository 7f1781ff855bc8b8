"""What captioning would cost: a few real calls, and what they say of all the others."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.recap.captioning.captioner import Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What calls of one stage took, each on average."""

    seconds: float
    prompt_tokens: float | None  # None: the server does not report tokens
    completion_tokens: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What all calls would take."""

    calls: int
    prompt_tokens: float | None
    completion_tokens: float | None
    hours: float  # as long as calls side by side take no longer than those measured

    def line(self) -> str:
        """Return it in words."""
        tokens = "tokens not reported by the server"
        if self.prompt_tokens is not None and self.completion_tokens is not None:
            read, written = _short(self.prompt_tokens), _short(self.completion_tokens)
            tokens = f"{read} tokens read and {written} written"
        return f"{self.calls:,} calls, {tokens}, {self.hours:.1f} hours at the rate measured"


def measured(took: Sequence[tuple[float, Answer]]) -> Measured:
    """Return what calls of one stage took, from the seconds and the answer of each."""
    answers = [answer for _, answer in took]
    return Measured(
        seconds=sum(seconds for seconds, _ in took) / len(took),
        prompt_tokens=_mean([answer.prompt_tokens for answer in answers]),
        completion_tokens=_mean([answer.completion_tokens for answer in answers]),
    )


def estimate(stages: Sequence[tuple[int, Measured]], concurrency: int) -> Estimate:
    """Return what stages would take.

    Args:
        stages: the number of calls of each, and what one takes.
        concurrency: calls in flight at a time.
    """
    return Estimate(
        calls=sum(calls for calls, _ in stages),
        prompt_tokens=_total([(calls, one.prompt_tokens) for calls, one in stages]),
        completion_tokens=_total([(calls, one.completion_tokens) for calls, one in stages]),
        hours=sum(calls * one.seconds for calls, one in stages) / concurrency / 3600,
    )


def _mean(values: Sequence[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def _total(parts: Sequence[tuple[int, float | None]]) -> float | None:
    known = [calls * each for calls, each in parts if each is not None]
    return sum(known) if len(known) == len(parts) else None


def _short(number: float) -> str:
    for size, name in ((1e9, "billion"), (1e6, "million")):
        if number >= size:
            return f"{number / size:.1f} {name}"
    return f"{number:,.0f}"

"""The estimate of a dry run: the cost of all calls, extrapolated from a few measured calls."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from msgspec import UNSET, UnsetType

from pipelines.recap.captioning.captioner import Answer, Captioner, Request
from pipelines.recap.captioning.images import RegionCaptioner
from pipelines.recap.captioning.judging import JudgedCaptioner
from pipelines.recap.captioning.two_stages import TwoStageCaptioner
from pipelines.recap.captioning.views import CropOptions, LazyImageView, PictureRefused
from pipelines.recap.captioning.workload import SampledImage, Workload
from pipelines.recipes.recap import RecapRecipe
from pipelines.recipes.resolve import instruction_of
from schemas.counted import counted
from schemas.duration import duration

_IMAGES, _REGIONS = "captions of pictures", "captions of regions"
_JUDGED = "answers of the judge"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredCalls:
    """The mean duration and mean token counts of some calls of one stage."""

    seconds: float
    prompt_tokens: float | None  # None: the server does not report tokens
    completion_tokens: float | None
    cached_tokens: float | None = None  # of the prompt's; None: the server does not report them


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The number of calls of a whole run, their number of tokens, and their time."""

    calls: int
    prompt_tokens: float | None
    completion_tokens: float | None
    seconds: float  # assumes that concurrent calls take no longer than the measured calls
    cached_tokens: float | None = None  # of the prompts'
    stages: Mapping[str, "Estimate"] = field(default_factory=dict)  # by name, where several

    def lines(self) -> Iterator[str]:
        """Yield the estimate of each stage, where there are several, and of all, in words."""
        for name, part in self.stages.items():
            yield f"{name}: {part.line()}"
        yield self.line()

    def line(self) -> str:
        """Return the estimate in words: "11,000 calls, ..., 2 h 6 min at the rate measured"."""
        tokens = "tokens not reported"
        if self.prompt_tokens is not None and self.completion_tokens is not None:
            read, written = _short(self.prompt_tokens), _short(self.completion_tokens)
            tokens = f"{read} tokens read{self._from_cache()} and {written} written"
        calls, time = counted(self.calls, "call"), duration(self.seconds)
        return f"{calls}, {tokens}, {time} at the rate measured"

    def _from_cache(self) -> str:
        if self.cached_tokens is None or not self.prompt_tokens:
            return ""
        share = 100 * self.cached_tokens / self.prompt_tokens
        return f" ({share:.0f} % of them from the server's cache)"


def measured(calls: Sequence[tuple[float, Answer]]) -> MeasuredCalls:
    """Return the means over calls of one stage; each call is given as (seconds, answer)."""
    answers = [answer for _, answer in calls]
    return MeasuredCalls(
        seconds=sum(seconds for seconds, _ in calls) / len(calls),
        prompt_tokens=_mean([answer.prompt_tokens for answer in answers]),
        completion_tokens=_mean([answer.completion_tokens for answer in answers]),
        cached_tokens=_mean_where_told([_known(answer.cached_tokens) for answer in answers]),
    )


def estimate(stages: Sequence[tuple[int, MeasuredCalls]], concurrency: int) -> Estimate:
    """Return the estimate of all calls of some stages.

    Args:
        stages: for each stage, the number of its calls, and the means over some of its calls.
        concurrency: number of calls in flight at a time.
    """
    return Estimate(
        calls=sum(number for number, _ in stages),
        prompt_tokens=_total([(number, calls.prompt_tokens) for number, calls in stages]),
        completion_tokens=_total([(number, calls.completion_tokens) for number, calls in stages]),
        seconds=sum(number * calls.seconds for number, calls in stages) / concurrency,
        cached_tokens=_total([(number, calls.cached_tokens) for number, calls in stages]),
    )


def estimate_run(
    workload: Workload,
    recipe: RecapRecipe,
    captioner: Captioner,
    concurrency: int,
    judge: Captioner | None = None,
) -> Estimate | None:
    """Return the estimate of a run, measured on its sampled images.

    Args:
        workload: the images and regions to caption.
        recipe: the recipe of the run.
        captioner: the captioner to measure; it is closed at the end.
        concurrency: number of calls in flight at a time.
        judge: the judge to measure, likewise; None: captions are not judged.

    Returns:
        The estimate, or None if no call of some stage was answered. Of each stage, as many calls
        are made for an image or a region as on the sampled images: second attempts and samples too.
    """
    stopwatch, of_judge = asyncio.run(_measure(workload.sampled_images, recipe, captioner, judge))
    images, regions = stopwatch.images, stopwatch.regions
    scale = workload.regions / max(regions.subjects, 1)
    stages = {_REGIONS: (scale, regions)}
    if recipe.captioning.global_caption:
        stages = {_IMAGES: (workload.images / max(images.subjects, 1), images), **stages}
    if judge is not None:
        stages[_JUDGED] = (scale, of_judge.regions)
    known = {
        name: (round(factor * len(stage.calls)), measured(stage.calls))
        for name, (factor, stage) in stages.items()
        if stage.calls
    }
    if len(known) < len(stages):
        return None
    parts = {name: estimate([stage], concurrency) for name, stage in known.items()}
    total = estimate(list(known.values()), concurrency)
    return replace(total, stages=parts) if len(parts) > 1 else total


async def _measure(
    sampled_images: Sequence[SampledImage],
    recipe: RecapRecipe,
    captioner: Captioner,
    judge: Captioner | None,
) -> tuple["_Stopwatch", "_Stopwatch"]:
    """Return what was measured of the captioner, and of the judge."""
    captioning = recipe.captioning
    stopwatch, of_judge = _Stopwatch(captioner), _Stopwatch(judge or captioner)
    wordings = instruction_of(recipe).wordings
    stages: RegionCaptioner = TwoStageCaptioner(
        stopwatch, captioning, wordings, recipe.seed, recipe.min_words or 0
    )
    if judge is not None:
        stages = JudgedCaptioner(stages, of_judge, recipe)
    try:
        for _, screened, folder in sampled_images:
            options = CropOptions.of(recipe, folder, scored=False)
            try:
                await stages.caption(screened, LazyImageView(screened, options))
            except PictureRefused:
                continue
    finally:
        await stopwatch.close()
        if judge is not None:
            await of_judge.close()
    return stopwatch, of_judge


class _Stopwatch:
    """A captioner that passes requests to another captioner and measures the time of each call."""

    def __init__(self, inner: Captioner) -> None:
        self._inner = inner
        self.images, self.regions = _Stage(), _Stage()

    async def ask(self, request: Request) -> Answer:
        image = await request.load_image()  # loaded before the clock starts
        began = time.monotonic()
        answer = await self._inner.ask(request)
        of_region = image.target is not None and image.target.region is not None
        stage = self.regions if of_region else self.images
        stage.calls.append((time.monotonic() - began, answer))
        stage.names.add(request.id.rpartition("/")[0].partition("/sample/")[0])
        return answer

    async def close(self) -> None:
        await self._inner.close()


@dataclass(slots=True)
class _Stage:
    """The measured calls of a stage; those of a second attempt, and of further samples, too."""

    calls: list[tuple[float, Answer]] = field(default_factory=list)  # seconds and answers
    names: set[str] = field(default_factory=set)  # of the images or regions they are about

    @property
    def subjects(self) -> int:
        """The number of images or regions that the calls are about."""
        return len(self.names)


def _known(number: int | UnsetType) -> int | None:
    return None if number is UNSET else number


def _mean(values: Sequence[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known and len(known) == len(values) else None


def _mean_where_told(values: Sequence[int | None]) -> float | None:
    """Return the mean of values that some servers leave out where they are 0."""
    known = [value for value in values if value is not None]
    return sum(known) / len(values) if known else None


def _total(parts: Sequence[tuple[int, float | None]]) -> float | None:
    known = [calls * each for calls, each in parts if each is not None]
    return sum(known) if len(known) == len(parts) else None


def _short(number: float) -> str:
    for size, name in ((1e9, "billion"), (1e6, "million")):
        if number >= size:
            return f"{number / size:.1f} {name}"
    return f"{number:,.0f}"

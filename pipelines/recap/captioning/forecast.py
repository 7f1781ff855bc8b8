"""What a run would take: counted on the annotations, measured on a few images."""

import asyncio
import time
from bisect import insort
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

from pipelines.plan import Plan
from pipelines.read import parse
from pipelines.recap.captioning.captioner import Answer, Captioner, Request
from pipelines.recap.captioning.estimate import Estimate, Measured, estimate, measured
from pipelines.recap.captioning.two_stages import TwoStages
from pipelines.recap.captioning.views import LazyView, PictureRefused, Sights
from pipelines.recipes.recap import RecapRecipe
from pipelines.recipes.resolve import instruction_of
from schemas.ids import rank
from schemas.ledger import Stage
from schemas.sample import ScreenedImage
from schemas.source import SourceImage
from transforms.guard import guard_image
from transforms.ledger import StageLedger
from transforms.screen import screen_image
from transforms.subsample import Caps, CategoryKey, RegionRank, category_ranks, sample_image

MEASURED_IMAGES = 4


@dataclass(slots=True)
class Counted:
    """What there is to caption."""

    images: int = 0
    regions: int = 0
    few: list[tuple[int, ScreenedImage, str]] = field(default_factory=list)  # rank, image, folder


def count(plan: Plan) -> Counted:
    """Return what a run of a plan has captioned, as long as no picture turns out unusable."""
    caps = plan.resolved.caps
    smallest = _smallest(plan, caps)
    ledger = StageLedger(Stage.SAMPLE)
    found = Counted()
    for screened, folder in _screened(plan):
        sampled = sample_image(screened, smallest, caps, ledger)
        if sampled is None or not sampled.regions:
            continue
        found.images += 1
        found.regions += len(sampled.regions)
        image = sampled.image
        place = rank("forecast", image.source, image.split, image.image_id)
        found.few = sorted([*found.few, (place, sampled, folder)], key=lambda item: item[0])
        del found.few[MEASURED_IMAGES:]
    return found


def _smallest(plan: Plan, caps: Caps) -> dict[CategoryKey, list[RegionRank]]:
    """Return what `sample_image` must know of categories; it takes a pass over the annotations."""
    smallest: dict[CategoryKey, list[RegionRank]] = defaultdict(list)
    if caps.per_category:
        for screened, _ in _screened(plan):
            for key, drawn in category_ranks([screened], caps):
                insort(smallest[key], drawn)
                del smallest[key][caps.per_category[key[0]] :]
    return smallest


def _screened(plan: Plan) -> Iterator[tuple[ScreenedImage, str]]:
    """Yield the images that a run samples from, each with the folder of its picture."""
    ledger = StageLedger(Stage.SCREEN)
    for split in plan.splits:
        name = plan.guard.picture_names.get((split.source, split.split))
        for entry in parse(split):
            if isinstance(entry, SourceImage) and guard_image(
                entry, name, plan.guard.forbidden, ledger
            ):
                yield screen_image(entry, ledger, plan.recipe.masks), split.pictures
            ledger.rejections.clear()


def forecast(
    counted: Counted, recipe: RecapRecipe, captioner: Captioner, concurrency: int
) -> Estimate | None:
    """Return what all calls would take, by what they take on a few images; None if none can be."""
    watch = asyncio.run(_measure(counted.few, recipe, captioner))
    stages = []
    if recipe.captioning.global_caption:
        stages.append((counted.images, watch.of("/image/")))
    stages.append((counted.regions, watch.of("/region/")))
    known = [(calls, each) for calls, each in stages if each is not None]
    return estimate(known, concurrency) if len(known) == len(stages) else None


async def _measure(
    few: Sequence[tuple[int, ScreenedImage, str]], recipe: RecapRecipe, captioner: Captioner
) -> "_Stopwatch":
    how = recipe.captioning
    watch = _Stopwatch(captioner)
    stages = TwoStages(watch, how, instruction_of(recipe).wordings, recipe.seed)
    try:
        for _, found, folder in few:
            sights = Sights(
                folder=folder, context=how.context, max_pixels=how.max_pixels, scored=False
            )
            try:
                await stages.caption(found, LazyView(found, sights))
            except PictureRefused:
                continue
    finally:
        await captioner.close()
    return watch


class _Stopwatch:
    """Asks, and notes what each call took."""

    def __init__(self, inner: Captioner) -> None:
        self._inner = inner
        self._took: dict[str, list[tuple[float, Answer]]] = defaultdict(list)

    async def ask(self, request_id: str, build: Callable[[], Awaitable[Request]]) -> Answer:
        request = await build()
        began = time.monotonic()
        answer = await self._inner.ask(request)
        kind = "/image/" if request.subject.region is None else "/region/"
        self._took[kind].append((time.monotonic() - began, answer))
        return answer

    def of(self, kind: str) -> Measured | None:
        """Return what calls of a stage took; None where none was answered."""
        took = self._took[kind]
        return measured(took) if took else None

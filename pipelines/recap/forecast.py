"""What a run would take: counted on the annotations, measured on a few images."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from pipelines.datasets.catalog import dataset
from pipelines.files import FileStore
from pipelines.plan import Plan
from pipelines.recap.captioner import Answer, Captioner, Request
from pipelines.recap.estimate import Estimate, Measured, estimate, measured
from pipelines.recap.recipe import RecapRecipe
from pipelines.recap.two_stages import TwoStages
from pipelines.recap.views import LazyView, PictureRefused, Sights
from schemas.ids import rank
from schemas.ledger import Stage
from schemas.sample import ScreenedImage
from schemas.source import SourceImage, SplitInput
from transforms.accounting import Book
from transforms.screen import screen_image

MEASURED_IMAGES = 4


@dataclass(slots=True)
class Counted:
    """What there is to caption."""

    images: int = 0
    per_category: Counter[str] = field(default_factory=Counter)  # regions
    few: list[tuple[int, ScreenedImage, str]] = field(default_factory=list)  # rank, image, folder

    def regions(self, cap: int | None) -> int:
        """Return the number of regions under a cap per category."""
        return sum(min(cap or count, count) for count in self.per_category.values())


def count(plan: Plan) -> Counted:
    """Return what a plan would have captioned, caps per image aside."""
    found = Counted()
    for split in plan.splits:
        _count_split(split, found)
    return found


def _count_split(split: SplitInput, found: Counted) -> None:
    book = Book(Stage.SCREEN)
    for entry in dataset(split.owner or split.source).parse(split, FileStore()):
        if not isinstance(entry, SourceImage):
            continue
        screened = screen_image(entry, book)
        book.rejections.clear()
        if not screened.regions:
            continue
        found.images += 1
        found.per_category.update(region.category or "" for region in screened.regions)
        place = rank("forecast", split.source, split.split, screened.image.image_id)
        found.few = sorted(
            [*found.few, (place, screened, split.pictures)], key=lambda item: item[0]
        )[:MEASURED_IMAGES]


def forecast(
    counted: Counted, recipe: RecapRecipe, captioner: Captioner, concurrency: int
) -> Estimate | None:
    """Return what all calls would take, by what they take on a few images; None if none can be."""
    watch = asyncio.run(_measure(counted.few, recipe, captioner))
    stages = []
    if recipe.captioning.global_caption:
        stages.append((counted.images, watch.of("/image/")))
    stages.append((counted.regions(recipe.per_category), watch.of("/region/")))
    known = [(calls, each) for calls, each in stages if each is not None]
    return estimate(known, concurrency) if len(known) == len(stages) else None


async def _measure(
    few: Sequence[tuple[int, ScreenedImage, str]], recipe: RecapRecipe, captioner: Captioner
) -> "_Stopwatch":
    how = recipe.captioning
    watch = _Stopwatch(captioner)
    stages = TwoStages(watch, how, recipe.instruction().wordings, recipe.seed)
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

"""What a run would have captioned, counted on the annotations without a look at any picture."""

from bisect import insort
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from pipelines.plan import Plan
from pipelines.read import parse
from schemas.ids import rank
from schemas.ledger import Stage
from schemas.sample import ScreenedImage
from schemas.source import SourceImage
from transforms.guard import guard_image
from transforms.ledger import StageLedger
from transforms.screen import screen_image
from transforms.subsample import Caps, CategoryKey, RegionRank, category_ranks, sample_image

_SAMPLED_IMAGES = 4


class SampledImage(NamedTuple):
    """One of a few images on which calls are measured."""

    rank: int  # those of the lowest ranks are taken
    screened: ScreenedImage
    folder: str  # of its picture


@dataclass(slots=True)
class Workload:
    """The images and regions to caption, as long as no picture turns out unusable."""

    images: int = 0
    regions: int = 0
    sampled_images: list[SampledImage] = field(default_factory=list)


def count_workload(plan: Plan) -> Workload:
    """Return what a run of a plan would have captioned."""
    caps = plan.resolved.caps
    smallest = _smallest_ranks(plan, caps)
    ledger = StageLedger(Stage.SAMPLE)
    workload = Workload()
    for screened, folder in _screened(plan):
        sampled = sample_image(screened, smallest, caps, ledger)
        if sampled is None or not sampled.regions:
            continue
        workload.images += 1
        workload.regions += len(sampled.regions)
        image = sampled.image
        image_rank = rank("forecast", image.source, image.split, image.image_id)
        candidates = [*workload.sampled_images, SampledImage(image_rank, sampled, folder)]
        workload.sampled_images = sorted(candidates, key=lambda each: each.rank)[:_SAMPLED_IMAGES]
    return workload


def _smallest_ranks(plan: Plan, caps: Caps) -> dict[CategoryKey, list[RegionRank]]:
    """Return what `sample_image` must know of categories; it takes a pass over the annotations."""
    smallest: dict[CategoryKey, list[RegionRank]] = defaultdict(list)
    if caps.per_category:
        for screened, _ in _screened(plan):
            for key, region_rank in category_ranks([screened], caps):
                insort(smallest[key], region_rank)
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

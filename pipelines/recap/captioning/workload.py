"""The workload of a run: its images and regions, counted without reading a picture."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from secrets import token_hex
from typing import NamedTuple

from pipelines.entries import parse
from pipelines.images import PrepareImage
from pipelines.plan import Plan
from schemas.ids import rank
from schemas.ledger import Stage
from schemas.sample import ScreenedImage
from schemas.source import SourceImage
from transforms.ledger import Ledgers, StageLedger
from transforms.subsample import CategoryKey, Threshold, find_thresholds, sample_image

_SAMPLED_IMAGES = 4


class SampledImage(NamedTuple):
    """An image on which a dry run measures calls."""

    rank: int  # hash of the image; the images of the lowest ranks are sampled
    screened: ScreenedImage
    folder: str  # folder of the picture


@dataclass(slots=True)
class Workload:
    """The numbers of images and regions to caption, with some images to measure calls on."""

    images: int = 0
    regions: int = 0
    sampled_images: list[SampledImage] = field(default_factory=list)


def count_workload(plan: Plan) -> Workload:
    """Return the workload of a plan, assuming that all pictures can be used.

    The sampled images are other ones each time, because a server reads what it was asked in an
    earlier dry run from its cache.
    """
    salt = token_hex(8)
    caps = plan.resolved.caps
    smallest = _thresholds(plan)
    ledger = StageLedger(Stage.SAMPLE)
    workload = Workload()
    for screened, folder in _prepared(plan):
        sampled = sample_image(screened, smallest, caps, ledger)
        if sampled is None or not sampled.regions:
            continue
        workload.images += 1
        workload.regions += len(sampled.regions)
        image = sampled.image
        image_rank = rank("estimate", salt, image.source, image.split, image.image_id)
        candidates = [*workload.sampled_images, SampledImage(image_rank, sampled, folder)]
        workload.sampled_images = sorted(candidates, key=lambda each: each.rank)[:_SAMPLED_IMAGES]
    return workload


def _thresholds(plan: Plan) -> dict[CategoryKey, Threshold]:
    """Return what `sample_image` needs, in one pass over all annotations."""
    caps = plan.resolved.caps
    images = (screened for screened, _ in _prepared(plan))
    return find_thresholds(images, caps) if caps.per_category else {}


def _prepared(plan: Plan) -> Iterator[tuple[ScreenedImage, str]]:
    """Yield every image before subsampling, with the folder of its picture."""
    prepare, ledgers = PrepareImage.of(plan), Ledgers()
    for split in plan.splits:
        for entry in parse(split):
            if isinstance(entry, SourceImage) and (screened := prepare(entry, ledgers)):
                yield screened, split.pictures
            ledgers.take_rejections()

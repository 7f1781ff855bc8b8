"""Sample: the step that applies a recipe's caps on regions, per category and per image.

A recipe may also set the least number of words of a phrase; a region that loses all its phrases
is left out, too.

"N per category" means the N regions with the smallest hash in that category. Beam finds, for
each category, the N-th smallest rank; a region stays if it does not exceed it, or if it has no
category. So the choice is the same on every runner, and only a threshold per category travels.
"""

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import apache_beam as beam
from apache_beam.pvalue import AsDict, PCollection
from apache_beam.transforms.combiners import Top
from msgspec.structs import replace

from schemas.ids import Hasher
from schemas.item import Expression, Item
from schemas.ledger import Stage
from schemas.rejection import Kind
from schemas.sample import ImageInfo, Region, ScreenedImage
from transforms.caps import Caps
from transforms.ledger import StageLedger
from transforms.stage import StageDoFn, StageOutputs, StageTransform, run_stage

CategoryKey = tuple[str, str, str]  # source, split, category
RegionRank = tuple[int, str]  # hash, then id, so that no two ranks are equal


class Threshold(NamedTuple):
    """What the cap of a category leaves of it: the regions up to a rank."""

    rank: RegionRank  # the largest
    regions: int  # their number: the cap, or all regions of the category


Smallest = tuple[CategoryKey, Threshold]


def category_ranks(
    batch: Sequence[ScreenedImage], caps: Caps
) -> Iterator[tuple[CategoryKey, RegionRank]]:
    """Yield the rank of each region in its category, for regions of capped categories."""
    for screened in batch:
        if screened.image.source in caps.per_category:
            hasher = _hasher("per_category", screened.image, caps)
            for region in screened.regions:
                if region.category is not None:
                    key = _category(screened.image, region.category)
                    yield key, _region_rank(hasher, region)


def find_thresholds(images: Iterable[ScreenedImage], caps: Caps) -> dict[CategoryKey, Threshold]:
    """Return the threshold of every category, found in this process."""
    smallest: dict[CategoryKey, list[RegionRank]] = defaultdict(list)
    for image in images:
        for key, region_rank in category_ranks([image], caps):
            insort(smallest[key], region_rank)
            del smallest[key][caps.per_category[key[0]] :]
    return dict(_threshold(each, caps) for each in smallest.items())


def _threshold(category: tuple[CategoryKey, list[RegionRank]], caps: Caps) -> Smallest:
    """Return the threshold of a category from its smallest ranks, ascending."""
    key, ranks = category
    kept = ranks[: caps.per_category[key[0]]]
    return key, Threshold(kept[-1], len(kept))


def sample_image(
    screened: ScreenedImage,
    smallest: Mapping[CategoryKey, Threshold],
    caps: Caps,
    ledger: StageLedger,
) -> ScreenedImage | None:
    """Return the image with the regions that the caps leave, or None where the caps leave none.

    Args:
        screened: the image.
        smallest: the threshold of each capped category.
        caps: the caps of the recipe.
        ledger: the ledger of the stage.
    """
    image = screened.image
    ledger.read(image, Kind.IMAGE)
    ledger.read(image, Kind.ANNOTATION, len(screened.regions))
    ledger.items_read(image, screened.items)
    passive = tuple(item for item in screened.items if not item.decides_sampling)
    if passive:
        deciding = tuple(item for item in screened.items if item.decides_sampling)
        kept = _sampled(replace(screened, items=deciding), smallest, caps)
        kept = kept and replace(kept, items=kept.items + _whole_items(passive, kept.regions))
    else:
        kept = _sampled(screened, smallest, caps)
    _book(screened, kept, ledger)
    return kept


def _sampled(
    screened: ScreenedImage, smallest: Mapping[CategoryKey, Threshold], caps: Caps
) -> ScreenedImage | None:
    """Return the image with the regions and items that the caps leave; all items take part."""
    image, regions = screened.image, list(screened.regions)
    if image.source in caps.per_category:
        hasher = _hasher("per_category", image, caps)
        regions = [
            region
            for region in regions
            if region.category is None
            or _region_rank(hasher, region) <= smallest[_category(image, region.category)].rank
        ]
    items = screened.items
    if len(regions) < len(screened.regions):
        items = _whole_items(items, regions)
    cap = caps.per_image.get(image.source)
    if caps.min_words is not None:
        items = tuple(item for item in items if _has_words(item, caps.min_words))
        cap = cap or len(regions)  # regions whose phrases are all left out go as well
    if cap is not None:
        items = _capped_items(image, items, cap, caps)
        regions = _capped_regions(image, regions, items, screened.items, cap, caps)
    emptied = not items and bool(screened.items or (screened.regions and not regions))
    return None if emptied else replace(screened, regions=tuple(regions), items=items)


def _book(screened: ScreenedImage, kept: ScreenedImage | None, ledger: StageLedger) -> None:
    """Count the regions and items that are kept, and the others as sampled out."""
    image = screened.image
    items = kept.items if kept else ()
    regions = len(kept.regions) if kept else 0
    ledger.kept(image, Kind.IMAGE, int(kept is not None))
    ledger.sampled_out(image, Kind.IMAGE, int(kept is None))
    ledger.kept(image, Kind.ANNOTATION, regions)
    ledger.sampled_out(image, Kind.ANNOTATION, len(screened.regions) - regions)
    ledger.items_kept(image, items)
    left = {item.id for item in items}
    for item in screened.items:
        if item.id not in left:
            ledger.sampled_out(image, item.kind)


def _whole_items(items: Sequence[Item], regions: Sequence[Region]) -> tuple[Item, ...]:
    """Return the items whose regions are all kept."""
    left = {region.region_id for region in regions}
    return tuple(item for item in items if left.issuperset(item.region_ids()))


def _has_words(item: Item, number: int) -> bool:
    return not isinstance(item, Expression) or len(item.text.split()) >= number


def _capped_items(
    image: ImageInfo, items: Sequence[Item], cap: int, caps: Caps
) -> tuple[Item, ...]:
    """Return items of each kind, chosen by hash, up to the cap on regions per image.

    All phrases about one region are kept or left out together, so that a cap on regions costs no
    sentence about a kept region.
    """
    hasher = _hasher("per_image", image, caps)

    def order(item: Item) -> tuple[int, str]:
        return hasher.rank(item.region_id if isinstance(item, Expression) else item.id), item.id

    boxes: dict[Kind, set[str]] = defaultdict(set)
    taken = set()
    for item in sorted(items, key=order):
        needed = boxes[item.kind].union(item.region_ids())
        if len(needed) <= cap:
            boxes[item.kind] = needed
            taken.add(item.id)
    return tuple(item for item in items if item.id in taken)


def _capped_regions(
    image: ImageInfo,
    regions: Sequence[Region],
    items: Sequence[Item],
    all_items: Sequence[Item],
    cap: int,
    caps: Caps,
) -> list[Region]:
    """Return the regions that the items need and, up to the cap, regions without any item."""
    needed = {region_id for item in items for region_id in item.region_ids()}
    with_items = {region_id for item in all_items for region_id in item.region_ids()}
    others = [region for region in regions if region.region_id not in with_items]
    hasher = _hasher("per_image", image, caps)
    others.sort(key=partial(_region_rank, hasher))
    needed.update(region.region_id for region in others[: max(0, cap - len(needed))])
    return [region for region in regions if region.region_id in needed]


def _hasher(cap: str, image: ImageInfo, caps: Caps) -> Hasher:
    """Return the hasher that ranks an image's regions and items for one of the caps."""
    source = caps.drawn_as.get(image.source, image.source)
    return Hasher(caps.seed, cap, source, image.split, image.image_id)


def _category(image: ImageInfo, category: str) -> CategoryKey:
    return image.source, image.split, category


def _region_rank(hasher: Hasher, region: Region) -> RegionRank:
    return hasher.rank(region.region_id), region.region_id


class _SampleImages(StageDoFn[list[ScreenedImage], list[ScreenedImage]]):
    stage = Stage.SAMPLE

    def __init__(self, caps: Caps) -> None:
        self._caps = caps

    def results(
        self, element: list[ScreenedImage], smallest: Mapping[CategoryKey, Threshold]
    ) -> Iterator[list[ScreenedImage]]:
        """Yield the images of a batch with the regions and items that the caps leave."""
        sampled = [
            sample_image(image, smallest, self._caps, self.ledger)
            if self._caps.bind(image.image.source)
            else image
            for image in element
        ]
        yield [image for image in sampled if image is not None]


@dataclass
class FindSmallest(beam.PTransform[PCollection[list[ScreenedImage]], PCollection[Smallest]]):
    """Batches of ScreenedImage -> the threshold of every category; empty without caps."""

    caps: Caps

    def expand(self, pcoll: PCollection[list[ScreenedImage]]) -> PCollection[Smallest]:
        """Rank every region, find the smallest ranks of each category, and keep the last one."""
        if not self.caps.per_category:
            return pcoll.pipeline | beam.Create([])
        return (
            pcoll
            | "Rank" >> beam.FlatMap(category_ranks, self.caps)
            | "Smallest" >> Top.SmallestPerKey(max(self.caps.per_category.values()))
            | "Threshold" >> beam.Map(_threshold, self.caps)
        )


@dataclass
class SampleRegions(
    StageTransform[PCollection[list[ScreenedImage]], StageOutputs[list[ScreenedImage]]]
):
    """Batches of ScreenedImage -> the same with the regions and items that the caps leave."""

    caps: Caps
    smallest: PCollection[Smallest]

    def expand(self, pcoll: PCollection[list[ScreenedImage]]) -> StageOutputs[list[ScreenedImage]]:
        """Apply `sample_image` to every image of a source with caps; pass on others unchanged."""
        return run_stage(pcoll, _SampleImages(self.caps), smallest=AsDict(self.smallest))


def short_categories(
    smallest: Iterable[Smallest], declared: Iterable[CategoryKey], per_category: int
) -> dict[CategoryKey, int]:
    """Return the categories with fewer regions than the cap, each with its number of regions."""
    counts = dict.fromkeys(declared, 0) | {key: each.regions for key, each in smallest}
    return {key: count for key, count in sorted(counts.items()) if count < per_category}

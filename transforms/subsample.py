"""Sample: the recipe's caps on regions, per category over a whole split and per image.

A recipe may also set how many words a phrase has at least; a region whose last phrase is left out
is left out too.

"N per category" means the N regions with the smallest hash in that category. Beam finds, for
each category, the N-th smallest rank; a region stays if it does not exceed it, or if it has no
category. So the choice is the same on every runner, and only a threshold per category travels.
"""

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import apache_beam as beam
from apache_beam.pvalue import AsDict, PCollection
from apache_beam.transforms.combiners import Top
from msgspec.structs import replace

from schemas.ids import rank
from schemas.item import Expression, Item
from schemas.ledger import Stage
from schemas.rejection import Kind
from schemas.sample import ImageInfo, Region, ScreenedImage
from transforms.ledger import StageLedger
from transforms.stage import StageDoFn, StageOutputs, StageTransform, run_stage, skip_stage

CategoryKey = tuple[str, str, str]  # source, split, category
RegionRank = tuple[int, str]  # hash, then id, so that no two are equal
Smallest = tuple[CategoryKey, list[RegionRank]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """How many regions a recipe takes, and which phrases about them; a source not named: all.

    The cap per image is one for each kind of item: of an image capped at 10, sentences are about
    10 regions at most, relationships about 10 as well, and some regions may be in both.
    """

    per_category: Mapping[str, int] = field(default_factory=dict)  # by source
    per_image: Mapping[str, int] = field(default_factory=dict)  # by source
    min_words: int | None = None  # of a phrase or sentence about one region
    seed: int
    # By source: another source under whose name its regions are hashed. So a source that is made
    # from the regions of another one takes the same regions as that one.
    drawn_as: Mapping[str, str] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether there is something to cap."""
        return self.min_words is not None or bool(self.per_category or self.per_image)


def category_ranks(
    batch: Sequence[ScreenedImage], caps: Caps
) -> Iterator[tuple[CategoryKey, RegionRank]]:
    """Yield each region's rank in its category; only regions of capped categories have one."""
    for screened in batch:
        if screened.image.source in caps.per_category:
            for region in screened.regions:
                if region.category is not None:
                    key = _category(screened.image, region.category)
                    yield key, _category_rank(screened.image, region, caps)


def smallest_ranks(
    images: Iterable[ScreenedImage], caps: Caps
) -> dict[CategoryKey, list[RegionRank]]:
    """Return the smallest ranks of every category, ascending, at most as many as its cap."""
    smallest: dict[CategoryKey, list[RegionRank]] = defaultdict(list)
    for image in images:
        for key, region_rank in category_ranks([image], caps):
            insort(smallest[key], region_rank)
            del smallest[key][caps.per_category[key[0]] :]
    return smallest


def sample_image(
    screened: ScreenedImage,
    smallest: Mapping[CategoryKey, list[RegionRank]],
    caps: Caps,
    ledger: StageLedger,
) -> ScreenedImage | None:
    """Return the image with the regions the caps leave, or None where they leave none.

    Args:
        screened: the image.
        smallest: the smallest ranks of each capped category, ascending, at least as many as the
            cap, or all that there are.
        caps: of the recipe.
        ledger: of the stage.
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
    screened: ScreenedImage, smallest: Mapping[CategoryKey, list[RegionRank]], caps: Caps
) -> ScreenedImage | None:
    """Return what the caps leave of an image, all of whose items decide."""
    image, regions = screened.image, list(screened.regions)
    if number := caps.per_category.get(image.source):
        regions = [
            region
            for region in regions
            if region.category is None
            or _category_rank(image, region, caps)
            <= smallest[_category(image, region.category)][:number][-1]
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
    return None if emptied else ScreenedImage(image, tuple(regions), items, screened.label_set)


def _book(screened: ScreenedImage, kept: ScreenedImage | None, ledger: StageLedger) -> None:
    """Count what is kept, and all else as sampled out."""
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
    """Return the items all of whose regions are left."""
    left = {region.region_id for region in regions}
    return tuple(item for item in items if left.issuperset(item.region_ids()))


def _has_words(item: Item, number: int) -> bool:
    return not isinstance(item, Expression) or len(item.text.split()) >= number


def _capped_items(
    image: ImageInfo, items: Sequence[Item], cap: int, caps: Caps
) -> tuple[Item, ...]:
    """Return as many items as the boxes of each kind allow, chosen by hash.

    All phrases about one region are taken or left together, so that a cap of boxes costs no
    sentence.
    """

    def order(item: Item) -> tuple[int, str]:
        about = item.region_id if isinstance(item, Expression) else item.id
        return rank(caps.seed, "per_image", *_hashed_as(image, caps), about), item.id

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
    """Return the regions that the items need; up to the cap, also regions without any item."""
    needed = {region_id for item in items for region_id in item.region_ids()}
    with_items = {region_id for item in all_items for region_id in item.region_ids()}
    others = [region for region in regions if region.region_id not in with_items]
    others.sort(key=lambda region: (_image_rank(image, region, caps), region.region_id))
    needed.update(region.region_id for region in others[: max(0, cap - len(needed))])
    return [region for region in regions if region.region_id in needed]


def _hashed_as(image: ImageInfo, caps: Caps) -> tuple[str, str, str]:
    return caps.drawn_as.get(image.source, image.source), image.split, image.image_id


def _category(image: ImageInfo, category: str) -> CategoryKey:
    return image.source, image.split, category


def _category_rank(image: ImageInfo, region: Region, caps: Caps) -> RegionRank:
    number = rank(caps.seed, "per_category", *_hashed_as(image, caps), region.region_id)
    return number, region.region_id


def _image_rank(image: ImageInfo, region: Region, caps: Caps) -> int:
    return rank(caps.seed, "per_image", *_hashed_as(image, caps), region.region_id)


class _SampleImages(StageDoFn[list[ScreenedImage], list[ScreenedImage]]):
    stage = Stage.SAMPLE

    def __init__(self, caps: Caps) -> None:
        self._caps = caps

    def results(
        self, element: list[ScreenedImage], smallest: Mapping[CategoryKey, list[RegionRank]]
    ) -> Iterator[list[ScreenedImage]]:
        """Yield the images of a batch with what the caps leave of them."""
        sampled = [sample_image(image, smallest, self._caps, self.ledger) for image in element]
        yield [image for image in sampled if image is not None]


@dataclass
class FindSmallest(beam.PTransform[PCollection[list[ScreenedImage]], PCollection[Smallest]]):
    """Batches of ScreenedImage -> the smallest ranks of every category; nothing if uncapped."""

    caps: Caps

    def expand(self, pcoll: PCollection[list[ScreenedImage]]) -> PCollection[Smallest]:
        """Rank every region and keep each category's smallest."""
        if not self.caps.per_category:
            return pcoll.pipeline | beam.Create([])
        return (
            pcoll
            | "Rank" >> beam.FlatMap(category_ranks, self.caps)
            | "Smallest" >> Top.SmallestPerKey(max(self.caps.per_category.values()))
        )


@dataclass
class SampleRegions(
    StageTransform[PCollection[list[ScreenedImage]], StageOutputs[list[ScreenedImage]]]
):
    """Batches of ScreenedImage -> the same with the regions and items that the caps leave."""

    caps: Caps
    smallest: PCollection[Smallest]

    def expand(self, pcoll: PCollection[list[ScreenedImage]]) -> StageOutputs[list[ScreenedImage]]:
        """Apply `sample_image` to every image; without caps, pass them on."""
        if not self.caps.any:
            return skip_stage(pcoll)
        return run_stage(pcoll, _SampleImages(self.caps), smallest=AsDict(self.smallest))


def short_categories(
    smallest: Iterable[Smallest], declared: Iterable[CategoryKey], per_category: int
) -> dict[CategoryKey, int]:
    """Return the categories that have fewer than the cap, with how many they have."""
    counts = dict.fromkeys(declared, 0) | {key: len(ranks) for key, ranks in smallest}
    return {key: count for key, count in sorted(counts.items()) if count < per_category}

"""Sample: the recipe's caps on regions, per category over a whole split and per image.

"N per category" means the N regions with the smallest hash in that category. Beam finds, for
each category, the N-th smallest rank; a region stays if it does not exceed it. So the choice is
the same on every runner, and only a threshold per category travels.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import AsDict, PCollection
from apache_beam.transforms.combiners import Top

from schemas.ids import rank
from schemas.ledger import Stage
from schemas.rejection import Kind
from schemas.sample import ImageInfo, Region, ScreenedImage
from transforms.accounting import KEPT, REJECTED, TALLY, Book, BookedDoFn, booked

CategoryKey = tuple[str, str, str]  # source, split, category
RegionRank = tuple[int, str]  # hash, then id, so that no two are equal
Smallest = tuple[CategoryKey, list[RegionRank]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """How many regions a recipe takes; None: all."""

    per_category: int | None
    per_image: int | None
    seed: int

    @property
    def any(self) -> bool:
        """Whether there is something to cap."""
        return self.per_category is not None or self.per_image is not None


def category_ranks(found: ScreenedImage, seed: int) -> Iterator[tuple[CategoryKey, RegionRank]]:
    """Yield each region's rank within its category."""
    for region in found.regions:
        yield _category(found.image, region), _category_rank(found.image, region, seed)


def sample_image(
    found: ScreenedImage,
    smallest: Mapping[CategoryKey, list[RegionRank]],
    caps: Caps,
    book: Book,
) -> ScreenedImage | None:
    """Return the image with the regions the caps leave, or None where they leave none.

    Args:
        found: the image.
        smallest: for each category its `per_category` smallest ranks, ascending.
        caps: of the recipe.
        book: of the stage.
    """
    image, regions = found.image, list(found.regions)
    book.read(image, Kind.IMAGE)
    book.read(image, Kind.ANNOTATION, len(regions))
    if caps.per_category is not None:
        regions = [
            region
            for region in regions
            if _category_rank(image, region, caps.seed) <= smallest[_category(image, region)][-1]
        ]
    if caps.per_image is not None:
        regions.sort(key=lambda region: (_image_rank(image, region, caps.seed), region.region_id))
        regions = regions[: caps.per_image]
    book.kept(image, Kind.ANNOTATION, len(regions))
    book.sampled_out(image, Kind.ANNOTATION, len(found.regions) - len(regions))
    if found.regions and not regions:
        book.sampled_out(image, Kind.IMAGE)
        return None
    book.kept(image, Kind.IMAGE)
    return ScreenedImage(image, found.label_set, tuple(regions))


def _category(image: ImageInfo, region: Region) -> CategoryKey:
    return image.source, image.split, region.category or ""


def _category_rank(image: ImageInfo, region: Region, seed: int) -> RegionRank:
    at = (image.source, image.split, image.image_id, region.region_id)
    return rank(seed, "per_category", *at), region.region_id


def _image_rank(image: ImageInfo, region: Region, seed: int) -> int:
    return rank(seed, "per_image", image.source, image.split, image.image_id, region.region_id)


class _SampleImage(BookedDoFn):
    stage = Stage.SAMPLE

    def __init__(self, caps: Caps) -> None:
        self._caps = caps

    def process(
        self, element: ScreenedImage, smallest: Mapping[CategoryKey, list[RegionRank]]
    ) -> Iterator[Any]:
        sampled = sample_image(element, smallest, self._caps, self.book)
        if sampled is not None:
            yield sampled


@dataclass
class FindSmallest(beam.PTransform[PCollection[ScreenedImage], PCollection[Smallest]]):
    """ScreenedImage -> the `per_category` smallest ranks of every category; nothing if uncapped."""

    caps: Caps

    def expand(self, pcoll: PCollection[ScreenedImage]) -> PCollection[Smallest]:
        """Rank every region and keep each category's smallest."""
        if self.caps.per_category is None:
            return pcoll.pipeline | beam.Create([])
        return (
            pcoll
            | "Rank" >> beam.FlatMap(category_ranks, self.caps.seed)
            | "Smallest" >> Top.SmallestPerKey(self.caps.per_category)
        )


@dataclass
class SampleRegions(beam.PTransform[PCollection[ScreenedImage], Any]):
    """ScreenedImage -> ScreenedImage with the regions that the caps leave."""

    caps: Caps
    smallest: PCollection[Smallest]

    def expand(self, pcoll: PCollection[ScreenedImage]) -> Any:
        """Apply `sample_image` to every image; without caps, pass them on."""
        if not self.caps.any:
            nothing = [pcoll.pipeline | f"No{tag}" >> beam.Create([]) for tag in (REJECTED, TALLY)]
            return {KEPT: pcoll, REJECTED: nothing[0], TALLY: nothing[1]}
        return pcoll | booked(_SampleImage(self.caps), smallest=AsDict(self.smallest))


def short_categories(
    smallest: Iterable[Smallest], declared: Iterable[CategoryKey], per_category: int
) -> dict[CategoryKey, int]:
    """Return the categories that have fewer than the cap, with how many they have."""
    counts = dict.fromkeys(declared, 0) | {key: len(ranks) for key, ranks in smallest}
    return {key: count for key, count in sorted(counts.items()) if count < per_category}

"""The pairs of crops and captions by which a score is calibrated, sampled by hash from shards.

Beside its own caption, a region has up to three captions that are not of it: one of another image,
one of another region of the same image, and one of a region of the same class in another image. The
last two are hard: a caption of the wrong object with much that is right.
"""

import heapq
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from io import BytesIO
from itertools import chain, groupby, islice
from typing import NamedTuple, TypeVar

from PIL import Image

from pipelines.recap.clip.crops import alpha_crop, clip_crop, decoded
from pipelines.shards.reader import shard_batches
from schemas.columns import regions_of
from schemas.errors import UsageError
from schemas.geometry import Box
from schemas.ids import image_of, rank
from schemas.mask import Mask

T = TypeVar("T")

_SPARE = 16  # regions of a class beyond the sampled ones, among which partners are looked for


class CaptionedRegion(NamedTuple):
    """A region with a caption, and the region's position in the shards."""

    rank: int
    path: str
    batch: int
    row: int
    region_id: str
    box: Box  # xyxy, pixels of the stored image
    mask: Mask | None
    image: str  # source, split and id of the image: coco/train/7
    category: str | None
    caption: str
    scored: bool


class Sampled(NamedTuple):
    """A region, and captions of other regions; None: there is no such region."""

    region: CaptionedRegion
    other_image: str
    same_image: str | None
    same_class: str | None


def sample_pairs(paths: Sequence[str], count: int, seed: int) -> list[Sampled]:
    """Return the regions with the smallest ranks, each with captions of other regions.

    A region without a caption of another image is left out.

    Args:
        paths: the shards of a run.
        count: maximum number of regions.
        seed: seed of the ranks.
    """
    regions = heapq.nsmallest(count, _regions(paths, seed))
    images, classes = _neighbours(regions, _regions(paths, seed))
    sampled = []
    for region in regions:
        other = _next_caption(region, regions, lambda one, two: one.image != two.image)
        if other is not None:
            same_image = _next_caption(region, images[region.image], _differs_in_region)
            same_class = _next_caption(
                region, classes.get(region.category, ()), lambda one, two: one.image != two.image
            )
            sampled.append(Sampled(region, other, same_image, same_class))
    return sampled


def load_crops(
    regions: Sequence[CaptionedRegion], *, mask_blur: bool, mask_alpha: bool = False
) -> list[tuple[Image.Image, ...]]:
    """Return the crops of regions as the filter makes them, in the order of the regions.

    Args:
        regions: the regions.
        mask_blur: whether a region has a second crop, blurred outside its mask.
        mask_alpha: whether a region's crop has the region as its alpha channel.
    """
    return load_views(regions, partial(_crops, mask_blur=mask_blur, mask_alpha=mask_alpha))


def load_views(
    regions: Sequence[CaptionedRegion], view: Callable[[CaptionedRegion, Image.Image], T]
) -> list[T]:
    """Return what is made of regions and of their pictures, in the order of the regions."""
    views: dict[tuple[str, int, int, str], T] = {}
    for path, group in groupby(sorted(regions, key=_position), key=lambda region: region.path):
        wanted = list(group)
        for number, batch in enumerate(islice(shard_batches(path), wanted[-1].batch + 1)):
            for region in wanted:
                if region.batch == number:
                    data = batch.column("image")[region.row].as_py()["bytes"]
                    views[_position(region)] = view(region, _picture(region, data))
    return [views[_position(region)] for region in regions]


def _regions(paths: Sequence[str], seed: int) -> Iterator[CaptionedRegion]:
    """Yield every region with a caption in the shards."""
    for path in paths:
        for number, batch in enumerate(shard_batches(path)):
            ids = batch.column("id").to_pylist()
            for row, (record_id, regions) in enumerate(zip(ids, regions_of(batch), strict=True)):
                for region in regions:
                    if region.caption is not None:
                        yield CaptionedRegion(
                            rank=rank("calibrate", seed, record_id, region.region_id),
                            path=path,
                            batch=number,
                            row=row,
                            region_id=region.region_id,
                            box=region.bbox,
                            mask=region.mask,
                            image=image_of(record_id),
                            category=region.category,
                            caption=region.caption,
                            scored=any(each.clip is not None for each in region.captions),
                        )


def _neighbours(
    sampled: Sequence[CaptionedRegion], regions: Iterator[CaptionedRegion]
) -> tuple[dict[str, list[CaptionedRegion]], dict[str | None, list[CaptionedRegion]]]:
    """Return all regions of the sampled images, and some of the sampled classes, in rank order."""
    images: dict[str, list[CaptionedRegion]] = {region.image: [] for region in sampled}
    named = (region.category for region in sampled if region.category is not None)
    room: Counter[str | None] = Counter(named)
    classes: dict[str | None, list[CaptionedRegion]] = defaultdict(list)
    for region in regions:
        if region.image in images:
            images[region.image].append(region)
        if region.category in room:
            of_class, most = classes[region.category], room[region.category] + _SPARE
            of_class.append(region)
            if len(of_class) >= 2 * most:
                of_class[:] = heapq.nsmallest(most, of_class, key=_rank)
    for group in chain(images.values(), classes.values()):
        group.sort(key=_rank)
    return images, {name: of_class[: room[name] + _SPARE] for name, of_class in classes.items()}


def _next_caption(
    region: CaptionedRegion,
    ordered: Sequence[CaptionedRegion],
    differs: Callable[[CaptionedRegion, CaptionedRegion], bool],
) -> str | None:
    """Return the other caption of the next region in rank that differs, or None without one."""
    start = bisect_right(ordered, region.rank, key=_rank)
    for other in chain(islice(ordered, start, None), islice(ordered, start)):
        if other.caption != region.caption and differs(region, other):
            return other.caption
    return None


def _differs_in_region(one: CaptionedRegion, two: CaptionedRegion) -> bool:
    return one.region_id != two.region_id


def _rank(region: CaptionedRegion) -> int:
    return region.rank


def _position(region: CaptionedRegion) -> tuple[str, int, int, str]:
    return region.path, region.batch, region.row, region.region_id


def _picture(region: CaptionedRegion, data: bytes | None) -> Image.Image:
    if data is None:
        raise UsageError(f"{region.path}: refers to images; calibrate needs shards that hold them")
    try:
        with Image.open(BytesIO(data)) as opened:
            return opened.convert("RGB")
    except (OSError, Image.DecompressionBombError) as error:
        raise UsageError(
            f"{region.path}, {region.image}: {error}. `regionforge verify` says more."
        ) from None


def _crops(
    region: CaptionedRegion, picture: Image.Image, *, mask_blur: bool, mask_alpha: bool
) -> tuple[Image.Image, ...]:
    if mask_alpha:
        return (decoded(alpha_crop(picture, region.box, region.mask)),)
    jpegs = [clip_crop(picture, region.box)]
    if mask_blur:
        jpegs.append(clip_crop(picture, region.box, mask=region.mask))
    return tuple(map(decoded, jpegs))

"""The sizes of regions, by which a run shows how many of its captions it keeps."""

from collections import Counter
from collections.abc import Iterable, Sequence

from schemas.geometry import shorter_side
from schemas.manifest import SizeCount
from schemas.sample import ScreenedImage

STEPS = (0, 16, 32, 64, 128, 256)  # least shorter side of each size, pixels


def size_counts(
    images: Sequence[ScreenedImage], kept: Sequence[ScreenedImage]
) -> dict[str, SizeCount]:
    """Return the numbers of regions by size, smallest first; sizes without regions are left out.

    Args:
        images: images with all regions that were to be captioned.
        kept: the images with the regions whose captions were kept.
    """
    regions, captioned = _counted(images), _counted(kept)
    return {
        str(step): SizeCount(regions=regions[step], kept=captioned[step])
        for step in STEPS
        if regions[step]
    }


def _counted(images: Iterable[ScreenedImage]) -> Counter[int]:
    return Counter(
        max(step for step in STEPS if step <= shorter_side(region.bbox))
        for image in images
        for region in image.regions
    )

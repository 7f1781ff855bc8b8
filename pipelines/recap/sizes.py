"""The sizes of regions, by which a run shows how many of its captions it keeps."""

from collections import Counter
from collections.abc import Iterable

from schemas.geometry import shorter_side
from schemas.manifest import SizeCount
from schemas.sample import Region

STEPS = (0, 16, 32, 64, 128, 256)  # least shorter side of each size, pixels


def size_counts(
    regions: Iterable[Region], captioned: Iterable[Region], kept: Iterable[Region]
) -> dict[str, SizeCount]:
    """Return the numbers of regions by size, smallest first; sizes without regions are left out.

    Args:
        regions: all regions that were to be captioned.
        captioned: the regions whose captions passed the checks of words.
        kept: the regions whose captions were kept in the end.
    """
    every, passed, rest = map(_counted, (regions, captioned, kept))
    return {
        str(step): SizeCount(regions=every[step], captioned=passed[step], kept=rest[step])
        for step in STEPS
        if every[step]
    }


def _counted(regions: Iterable[Region]) -> Counter[int]:
    return Counter(
        max(step for step in STEPS if step <= shorter_side(region.bbox)) for region in regions
    )

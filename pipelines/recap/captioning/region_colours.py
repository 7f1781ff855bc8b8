"""The colours of a region's pixels, by which a colour that a caption tells is checked."""

from collections.abc import Sequence

from PIL import Image

from pipelines.recap.captioning.colours import sampled, shares_of
from pipelines.recap.captioning.marked import MarkedRegion
from pipelines.recap.captioning.outlines import shape_of
from pipelines.recap.captioning.positions import gaps
from transforms.crop import SHOWN_SIDE, window

_MIN_FREE = 0.3  # share of a region outside others from which their pixels are left out


def colours_of(
    whole: Image.Image, region: MarkedRegion, regions: Sequence[MarkedRegion]
) -> dict[str, float]:
    """Return the share of a region's pixels, without those of others, that each colour has.

    Args:
        whole: the upright picture.
        region: the region, with or without a mask.
        regions: all regions of the picture.
    """
    view = window(region.box, 0.0, *whole.size, SHOWN_SIDE)
    seen = sampled(whole.crop(view))
    inside = free = shape_of(region.box, region.patch, view, seen.size)
    for other in regions:
        if other is not region and max(gaps(region.box, other.box)) < 0:
            free = free & ~shape_of(other.box, other.patch, view, seen.size)
    return shares_of(seen, free if free.sum() >= _MIN_FREE * inside.sum() else inside)

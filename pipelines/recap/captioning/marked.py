"""The pictures of a call in which a region is marked: the whole picture, and a close-up.

In the whole picture, regions have outlines and numbers. It is the same for all regions of a picture
and comes first, so that the calls about them begin with the same bytes, of which a server computes
the states once and keeps them. Regions beyond the first `MARKS` have copies of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from PIL import Image

from pipelines.recap.captioning.captioner import NamedPicture
from pipelines.recap.captioning.outlines import Patch, dimmed, numbered, outlined, shape_of
from pipelines.recipes.recap_presets import Views
from prompts.recap_marked import WHOLE_NAME, close_up_name
from schemas.geometry import Box
from schemas.mask import Mask
from transforms.crop import ENLARGED_SIDE, SHOWN_SIDE, encode_jpeg, enlarged, shrunk, window

MARKS = 10  # largest number of marks in a picture


@dataclass(frozen=True)
class MarkedRegion:
    """A region to mark, in the upright picture."""

    box: Box  # xyxy, pixels
    mask: Mask | None

    @cached_property
    def patch(self) -> Patch | None:
        """The region's pixels; None without any in a mask."""
        return None if self.mask is None else Patch.of(self.mask)


class MarkOptions(NamedTuple):
    """What is sent about a marked region."""

    views: Views
    context: float  # margin on each side of a close-up's box, as a share of that side
    max_pixels: int  # of a sent picture


def mark_of(position: int) -> int:
    """Return the number beside a region, from 1, by its position among those of its picture."""
    return position % MARKS + 1


def marks_beside(position: int) -> range:
    """Return the positions of all regions that are marked in the same copy of the picture."""
    first = position - position % MARKS
    return range(first, first + MARKS)


def marked_pictures(
    whole: Image.Image, regions: Sequence[MarkedRegion], options: MarkOptions
) -> list[tuple[NamedPicture, ...]]:
    """Return the pictures that are sent about each region, in order.

    Args:
        whole: the upright picture.
        regions: all regions of the picture.
        options: what is sent about a region.
    """
    shown = shrunk(whole, options.max_pixels)
    pictures: list[tuple[NamedPicture, ...]] = []
    for first in range(0, len(regions), MARKS):
        group = regions[first : first + MARKS]
        view = (0, 0, *whole.size)
        shapes = [shape_of(region.box, region.patch, view, shown.size) for region in group]
        jpeg = encode_jpeg(numbered(shown, shapes), options.max_pixels)
        marked = NamedPicture(WHOLE_NAME, jpeg)
        for number, region in enumerate(group, start=1):
            if options.views == "whole":
                pictures.append((marked,))
            else:
                close_up = _close_up(whole, shown, region, options)
                pictures.append((marked, NamedPicture(close_up_name(number), close_up)))
    return pictures


def _close_up(
    whole: Image.Image, shown: Image.Image, region: MarkedRegion, options: MarkOptions
) -> bytes:
    """Return a JPEG of a region and what is around it, with an outline or dark outside of it.

    `shown` is the whole picture as it is sent, of which a close-up of all of it is made.
    """
    view = window(region.box, options.context, *whole.size, SHOWN_SIDE)
    if view == (0, 0, *whole.size) and min(whole.size) >= ENLARGED_SIDE:
        seen = shown
    else:
        seen = shrunk(enlarged(whole.crop(view), options.max_pixels), options.max_pixels)
    shape = shape_of(region.box, region.patch, view, seen.size)
    masked = options.views == "both-masked"
    return encode_jpeg(
        dimmed(seen, shape) if masked else outlined(seen, [shape]), options.max_pixels
    )

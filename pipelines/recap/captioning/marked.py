"""The pictures of a call in which a region is marked: the whole picture, and a close-up.

In the whole picture, regions have outlines and numbers. It is the same for all regions of a picture
and comes first, so that the calls about them begin with the same bytes, of which a server computes
the states once and keeps them. Regions beyond the first `MARKS` have copies of their own.
"""

from collections.abc import Sequence
from typing import NamedTuple

from PIL import Image

from pipelines.recap.captioning.captioner import NamedPicture
from pipelines.recap.captioning.outlines import dimmed, numbered, outlined, shape_of
from pipelines.recipes.recap_presets import Views
from prompts.recap_marked import WHOLE_NAME, close_up_name
from schemas.geometry import Box
from schemas.mask import BoolImage, Mask
from transforms.crop import SHOWN_SIDE, encode_jpeg, enlarged, shrunk, window

MARKS = 10  # largest number of marks in a picture


class MarkedRegion(NamedTuple):
    """A region to mark, in the upright picture."""

    box: Box  # xyxy, pixels
    mask: Mask | None

    def pixels(self) -> BoolImage | None:
        """Return the region's pixels, height x width; None without a mask."""
        return None if self.mask is None else self.mask.pixels()


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
        masks = [region.pixels() for region in group]
        shapes = [
            shape_of(region.box, mask, view, shown.size)
            for region, mask in zip(group, masks, strict=True)
        ]
        jpeg = encode_jpeg(numbered(shown, shapes), options.max_pixels)
        marked = NamedPicture(WHOLE_NAME, jpeg)
        for number, (region, mask) in enumerate(zip(group, masks, strict=True), start=1):
            if options.views == "whole":
                pictures.append((marked,))
            else:
                close_up = _close_up(whole, region.box, mask, options)
                pictures.append((marked, NamedPicture(close_up_name(number), close_up)))
    return pictures


def _close_up(whole: Image.Image, box: Box, mask: BoolImage | None, options: MarkOptions) -> bytes:
    """Return a JPEG of a region and what is around it, with an outline or dark outside of it."""
    view = window(box, options.context, *whole.size, SHOWN_SIDE)
    seen = shrunk(enlarged(whole.crop(view), options.max_pixels), options.max_pixels)
    shape = shape_of(box, mask, view, seen.size)
    masked = options.views == "both-masked"
    return encode_jpeg(
        dimmed(seen, shape) if masked else outlined(seen, [shape]), options.max_pixels
    )

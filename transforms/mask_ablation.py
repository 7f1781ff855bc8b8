"""Masks that are a little wrong, to see what a model makes of them (RegionGPT, Table 16)."""

from schemas.mask import BoolImage, Mask, from_pixels
from schemas.source import MaskVariant

KERNEL = 5  # pixels a side, of an image whose longer side has `SIDE`
SIDE = 336


def worsened(mask: Mask, how: MaskVariant) -> Mask:
    """Return a mask dilated or eroded by a square kernel that grows with the image.

    The kernel stands for one of 5 x 5 pixels once the image is padded to a square and resized to
    336 x 336. What lies beyond the image's edge erodes nothing. Where erosion would leave nothing,
    the largest smaller kernel that leaves something is taken.
    """
    pixels = mask.pixels()
    radius = round((KERNEL * max(pixels.shape) / SIDE - 1) / 2)
    if how == "dilated":
        return from_pixels(_grown(pixels, radius))
    for smaller in range(radius, 0, -1):
        if (left := ~_grown(~pixels, smaller)).any():
            return from_pixels(left)
    return mask


def _grown(pixels: BoolImage, radius: int) -> BoolImage:
    """Return where a pixel is on within a square of 2 x radius + 1 pixels a side."""
    grown = pixels.copy("K")
    for lines in (grown, grown.T):  # views: the columns grow, then the rows
        reach = 0
        while reach < radius:
            # So far that there is no gap, also where what has grown is cut off by the edge.
            step = min(reach + 1, radius - reach)
            before = lines.copy("K")
            lines[step:] |= before[:-step]
            lines[:-step] |= before[step:]
            reach += step
    return grown

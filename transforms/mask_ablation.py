"""Mask ablation: slightly wrong masks, which test how much models rely on masks.

RegionGPT dilates and erodes the masks of COCO (Table 16).
"""

from schemas.mask import BoolImage, Mask, from_pixels
from schemas.source import MaskVariant

_KERNEL = 5  # pixels a side, in an image whose longer side has `_SIDE` pixels
_SIDE = 336  # pixels


def ablate_mask(mask: Mask, variant: MaskVariant) -> Mask:
    """Return a mask dilated or eroded by a square kernel that grows with the image.

    The kernel covers 5 x 5 pixels once the image is padded to a square and resized to 336 x 336.
    The edge of the image erodes nothing. Where erosion would leave no pixel, the largest kernel
    that leaves a pixel is used.

    Args:
        mask: the mask of a region.
        variant: "dilated" or "eroded".
    """
    pixels = mask.pixels()
    radius = round((_KERNEL * max(pixels.shape) / _SIDE - 1) / 2)
    if variant == "dilated":
        return from_pixels(_dilate(pixels, radius))
    for smaller in range(radius, 0, -1):
        if (left := ~_dilate(~pixels, smaller)).any():
            return from_pixels(left)
    return mask


def _dilate(pixels: BoolImage, radius: int) -> BoolImage:
    """Return the pixels that have a mask pixel in the square of side 2 x radius + 1 around them."""
    grown = pixels.copy("K")
    for lines in (grown, grown.T):  # views: the columns grow, then the rows
        reach = 0
        while reach < radius:
            # No farther than leaves no gap, also where the edge has cut the grown part off.
            step = min(reach + 1, radius - reach)
            before = lines.copy("K")
            lines[step:] |= before[:-step]
            lines[:-step] |= before[step:]
            reach += step
    return grown

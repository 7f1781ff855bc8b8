"""The crops for CLIP, both for scores of captions and for the calibration of a threshold."""

from PIL import Image, ImageFilter

from schemas.geometry import Box
from schemas.mask import Mask
from transforms.crop import crop, encode_jpeg, window

_MAX_CLIP_PIXELS = 336 * 336  # width times height of a crop; enough for all CLIP models
_BLUR = 1 / 12  # radius of the blur outside a mask, as a share of the crop's longer side


def clip_crop(
    image: Image.Image, box: Box, context: float = 0.0, mask: Mask | None = None
) -> bytes:
    """Return the crop of a box, scaled down to `_MAX_CLIP_PIXELS`, as a JPEG.

    Args:
        image: an upright RGB picture.
        box: xyxy, pixels of the picture.
        context: margin on each side of the box, as a share of that side.
        mask: the region's pixels in the picture, outside which the crop is blurred; None: all of
            it is sharp.
    """
    seen = crop(image, box, context)
    if mask is not None:
        inside = Image.fromarray(mask.pixels()).crop(window(box, context, *image.size))
        blurred = seen.filter(ImageFilter.GaussianBlur(_BLUR * max(seen.size)))
        seen = Image.composite(seen, blurred, inside.convert("L"))
    return encode_jpeg(seen, _MAX_CLIP_PIXELS)

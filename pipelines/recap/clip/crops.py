"""The crops for CLIP, both for scores of captions and for the calibration of a threshold."""

from PIL import Image

from schemas.geometry import Box
from transforms.crop import crop, encode_jpeg

_MAX_CLIP_PIXELS = 336 * 336  # width times height of a crop; enough for all CLIP models


def clip_crop(image: Image.Image, box: Box, context: float = 0.0) -> bytes:
    """Return the crop of a box, scaled down to `_MAX_CLIP_PIXELS`, as a JPEG.

    Args:
        image: an upright RGB picture.
        box: xyxy, pixels of the picture.
        context: margin on each side of the box, as a share of that side.
    """
    return encode_jpeg(crop(image, box, context), _MAX_CLIP_PIXELS)

"""The crops that CLIP sees: when captions are scored, and again when a threshold is chosen."""

from PIL import Image

from schemas.geometry import Box
from transforms.crop import crop, encode_jpeg

MAX_CLIP_PIXELS = 336 * 336  # width times height of a crop; no model in use takes more


def clip_crop(image: Image.Image, box: Box, context: float = 0.0) -> bytes:
    """Return the crop of a box as a JPEG.

    Args:
        image: an upright RGB picture.
        box: xyxy, pixels of that picture.
        context: added on each side, as a share of that side.
    """
    return encode_jpeg(crop(image, box, context), MAX_CLIP_PIXELS)

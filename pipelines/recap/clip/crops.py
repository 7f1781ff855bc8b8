"""The crops for CLIP, both for scores of captions and for the calibration of a threshold."""

from io import BytesIO
from math import ceil, floor

from PIL import Image, ImageFilter

from schemas.geometry import Box
from schemas.mask import Mask
from transforms.crop import crop, encode_jpeg, shrunk, window

_MAX_CLIP_PIXELS = 336 * 336  # width times height of a crop; enough for all CLIP models
_MARGIN = 0.5  # around the box of a region that is seen as an alpha channel, as a share of a side
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


def alpha_crop(image: Image.Image, box: Box, mask: Mask | None = None) -> bytes:
    """Return a region with half of its size around it and itself as the alpha channel, as a PNG.

    It is scaled down to `_MAX_CLIP_PIXELS`.

    Args:
        image: an upright RGB picture.
        box: xyxy, pixels of the picture.
        mask: the region's pixels in the picture; None: those of its box.
    """
    seen = crop(image, box, _MARGIN)
    if mask is not None:
        inside = Image.fromarray(mask.pixels()).convert("L")
    else:
        inside = Image.new("L", image.size)
        x0, y0, x1, y1 = box
        inside.paste(255, (floor(x0), floor(y0), ceil(x1), ceil(y1)))
    seen.putalpha(inside.crop(window(box, _MARGIN, *image.size)))
    out = BytesIO()
    shrunk(seen, _MAX_CLIP_PIXELS).save(out, "PNG")
    return out.getvalue()


def decoded(crop: bytes) -> Image.Image:
    """Return a crop as a picture: RGB, or RGBA where its alpha channel is the region."""
    with Image.open(BytesIO(crop)) as opened:
        return opened.convert("RGBA" if opened.mode == "RGBA" else "RGB")

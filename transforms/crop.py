"""Crops of pictures, as captioners and scorers get them.

Frame: the upright picture; origin at its top-left corner, x to the right, y down, pixels.
"""

import math
from io import BytesIO

from PIL import Image

from schemas.geometry import Box

# Limits that the processors of models take: the widely used one of Qwen2-VL refuses sides that
# differ by a factor of more than 200, others resize the shorter side to nothing.
MIN_SIDE = 8  # pixels
SHOWN_SIDE = 64  # least side of a window for a captioner, which needs some of what is around
ENLARGED_SIDE = 224  # shorter side to which a smaller crop is enlarged for a captioner
MAX_ASPECT = 20  # the largest ratio of the longer side to the shorter side
PADDING = (127, 127, 127)
QUALITY = 90

Window = tuple[int, int, int, int]  # x0, y0, x1, y1; whole pixels


def window(box: Box, context: float, width: int, height: int, min_side: int = MIN_SIDE) -> Window:
    """Return the part of a picture that shows a box: whole pixels, inside the picture.

    A window thinner than `min_side`, or with a side longer than `MAX_ASPECT` times the other side,
    is widened, as far as the picture reaches.

    Args:
        box: xyxy, pixels, with an area, inside the picture.
        context: the margin added on each of the four sides, as a share of the box's side.
        width: the width of the picture, pixels.
        height: the height of the picture, pixels.
        min_side: the least length of its sides, pixels.
    """
    x0, y0, x1, y1 = box
    across, down = context * (x1 - x0), context * (y1 - y0)
    left, right = _whole(x0 - across, x1 + across, width)
    top, bottom = _whole(y0 - down, y1 + down, height)
    least = max(min_side, math.ceil(max(right - left, bottom - top) / MAX_ASPECT))
    left, right = _widened(left, right, least, width)
    top, bottom = _widened(top, bottom, least, height)
    return left, top, right, bottom


def crop(picture: Image.Image, box: Box, context: float, min_side: int = MIN_SIDE) -> Image.Image:
    """Return the part of an upright picture that shows a box, cut out at its `window`."""
    return picture.crop(window(box, context, picture.width, picture.height, min_side))


def enlarged(picture: Image.Image, max_pixels: int) -> Image.Image:
    """Return a picture whose shorter side is enlarged to `ENLARGED_SIDE`, where it is shorter.

    The aspect is kept, and `max_pixels` is not exceeded: a model makes too few tokens of a crop of
    some pixels to see what it shows.
    """
    room = math.sqrt(max_pixels / (picture.width * picture.height))
    short = min(picture.size)
    if min(ENLARGED_SIDE / short, room) <= 1:
        return picture
    if short * room < ENLARGED_SIDE:
        size = math.floor(picture.width * room), math.floor(picture.height * room)
    else:  # in whole numbers: 83 * (224 / 83) is a little less than 224
        size = picture.width * ENLARGED_SIDE // short, picture.height * ENLARGED_SIDE // short
    return picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)


def shrunk(picture: Image.Image, max_pixels: int) -> Image.Image:
    """Return a picture of at most so many pixels, its aspect kept; never enlarged."""
    scale = math.sqrt(max_pixels / (picture.width * picture.height))
    if scale >= 1:
        return picture
    size = max(1, math.floor(picture.width * scale)), max(1, math.floor(picture.height * scale))
    return picture.resize(size, Image.Resampling.BICUBIC)


def encode_jpeg(picture: Image.Image, max_pixels: int) -> bytes:
    """Return a picture as an RGB JPEG; the same pixels give the same bytes.

    The picture is shrunk to at most `max_pixels` with its aspect kept, never enlarged. A picture
    that is too thin for a model is placed in the middle of a grey ground.
    """
    rgb = picture if picture.mode == "RGB" else picture.convert("RGB")
    image = shrunk(_padded(rgb), max_pixels)
    out = BytesIO()
    image.save(out, "JPEG", quality=QUALITY, subsampling=0)
    return out.getvalue()


def _whole(start: float, stop: float, limit: int) -> tuple[int, int]:
    """Return the pixels that an interval touches, at least one, between 0 and the limit."""
    first = min(max(math.floor(start), 0), limit - 1)
    return first, max(min(math.ceil(stop), limit), first + 1)


def _widened(start: int, stop: int, min_length: int, limit: int) -> tuple[int, int]:
    """Return an interval widened to the least length on both sides, between 0 and the limit."""
    missing = min(min_length, limit) - (stop - start)
    if missing <= 0:
        return start, stop
    first = min(max(start - missing // 2, 0), limit - (stop - start) - missing)
    return first, first + (stop - start) + missing


def _padded(image: Image.Image) -> Image.Image:
    min_side = max(MIN_SIDE, math.ceil(max(image.size) / MAX_ASPECT))
    width, height = max(image.width, min_side), max(image.height, min_side)
    if (width, height) == image.size:
        return image
    ground = Image.new("RGB", (width, height), PADDING)
    ground.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
    return ground

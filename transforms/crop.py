"""Crops of pictures, as captioners and scorers get them.

Frame: the upright picture; origin at its top-left corner, x to the right, y down, pixels.
"""

import math
from dataclasses import dataclass
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
    size = shrunk_size(picture.size, max_pixels)
    return picture if size == picture.size else picture.resize(size, Image.Resampling.BICUBIC)


def shrunk_size(size: tuple[int, int], max_pixels: int) -> tuple[int, int]:
    """Return the width and height of a picture of that size that `shrunk` returns, pixels."""
    width, height = size
    scale = math.sqrt(max_pixels / (width * height))
    if scale >= 1:
        return size
    return max(1, math.floor(width * scale)), max(1, math.floor(height * scale))


@dataclass(frozen=True, slots=True, kw_only=True)
class SentFrame:
    """The picture that `encode_jpeg` makes of an upright one: where its points are in it."""

    padded: tuple[int, int]  # width and height with the ground around a thin picture, pixels
    left: int  # of that ground, pixels
    top: int
    size: tuple[int, int]  # width and height of the JPEG, pixels

    @staticmethod
    def of(picture: Image.Image, max_pixels: int) -> "SentFrame":
        """Return the frame of a picture and a limit as `encode_jpeg` takes them."""
        padded = _padded_size(picture.size)
        left, top = _margins(picture.size, padded)
        return SentFrame(padded=padded, left=left, top=top, size=shrunk_size(padded, max_pixels))

    def box(self, box: Box) -> Box:
        """Return a box of the upright picture, xyxy in pixels, in pixels of the JPEG."""
        across, down = self.size[0] / self.padded[0], self.size[1] / self.padded[1]
        x0, y0, x1, y1 = box
        left, right = (x0 + self.left) * across, (x1 + self.left) * across
        return left, (y0 + self.top) * down, right, (y1 + self.top) * down

    def mask(self, mask: Image.Image) -> Image.Image:
        """Return a mask of the upright picture, of mode 1, at the size of the JPEG."""
        ground = Image.new("1", self.padded)
        ground.paste(mask, (self.left, self.top))
        return ground.resize(self.size, Image.Resampling.NEAREST)


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
    size = _padded_size(image.size)
    if size == image.size:
        return image
    ground = Image.new("RGB", size, PADDING)
    ground.paste(image, _margins(image.size, size))
    return ground


def _padded_size(size: tuple[int, int]) -> tuple[int, int]:
    min_side = max(MIN_SIDE, math.ceil(max(size) / MAX_ASPECT))
    return max(size[0], min_side), max(size[1], min_side)


def _margins(size: tuple[int, int], padded: tuple[int, int]) -> tuple[int, int]:
    """Return the ground to the left and at the top of a padded picture, pixels."""
    return (padded[0] - size[0]) // 2, (padded[1] - size[1]) // 2

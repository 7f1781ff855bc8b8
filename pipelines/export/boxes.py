"""The forms in which trainers write boxes into text; each takes a box as it is in a record.

Frame of what goes in: xyxy, pixels of the stored picture, see `schemas.geometry`. Each coordinate
comes back to half a step of its form, which is half a pixel of the stored picture or less while the
picture has at most 1,000 pixels a side; only `in_resized_pixels` has steps of a pixel of the
*resized* picture, which is half a pixel of the stored one times the factor of its side.
"""

import math

from schemas.geometry import Box

Numbers = tuple[float, float, float, float]

_THOUSANDTHS = 3  # decimals

# Limits of Qwen2.5-VL's processor as its checkpoints set them, pixels of the resized picture.
PATCH = 28  # pixels; the sides of the resized picture are its multiples
LEAST_PIXELS = 56 * 56
MOST_PIXELS = 12_845_056


def in_padded_square(box: Box, width: int, height: int) -> Numbers:
    """Return a box in parts of the square that LLaVA-1.5 pads a picture to, three decimals.

    The picture stands in the middle of the square, whose side is the picture's longer one; of an
    odd number of pixels to fill, the smaller half comes first. LLaVA-1.5's own boxes have two
    decimals; three keep a box to half a pixel up to 1,000 pixels a side.

    Source: https://github.com/haotian-liu/LLaVA/issues/606
    Example: (0, 0, 640, 480) of a picture of 640 x 480 is (0.0, 0.125, 1.0, 0.875).
    """
    side = max(width, height)
    left, top = (side - width) // 2, (side - height) // 2
    x0, y0, x1, y1 = box
    parts = ((x0 + left) / side, (y0 + top) / side, (x1 + left) / side, (y1 + top) / side)
    return _rounded(parts, _THOUSANDTHS)


def in_thousandths(box: Box, width: int, height: int) -> Numbers:
    """Return a box on the grid from 0 to 1000 that Qwen2-VL and Qwen3-VL lay over any picture.

    Source: https://github.com/QwenLM/Qwen3-VL/issues/1486
    Example: (0, 120, 640, 480) of a picture of 640 x 480 is (0, 250, 1000, 1000).
    """
    return _scaled(box, 1000 / width, 1000 / height)


def in_resized_pixels(box: Box, width: int, height: int) -> Numbers:
    """Return a box in pixels of the picture as Qwen2.5-VL's processor resizes it.

    Source: https://github.com/QwenLM/Qwen3-VL/issues/866
    Example: (0, 0, 640, 480) of a picture of 640 x 480, resized to 644 x 476, is (0, 0, 644, 476).
    """
    across, down = resized_size(width, height)
    return _scaled(box, across / width, down / height)


def resized_size(width: int, height: int) -> tuple[int, int]:
    """Return the width and height to which Qwen2.5-VL's processor resizes a picture, pixels.

    Each side becomes the nearest multiple of `PATCH`. Where the area is then beyond a limit, both
    sides are scaled by one factor to reach it, and rounded towards the inside of the limit. The
    order of operations is the processor's: it decides where a side is all but a multiple.
    """
    sides = [max(PATCH, round(side / PATCH) * PATCH) for side in (width, height)]
    area = sides[0] * sides[1]
    if area > MOST_PIXELS:
        scale = math.sqrt(width * height / MOST_PIXELS)
        sides = [max(PATCH, math.floor(s / scale / PATCH) * PATCH) for s in (width, height)]
    elif area < LEAST_PIXELS:
        scale = math.sqrt(LEAST_PIXELS / (width * height))
        sides = [math.ceil(s * scale / PATCH) * PATCH for s in (width, height)]
    return sides[0], sides[1]


def in_stored_pixels(box: Box) -> Numbers:
    """Return a box in pixels of the stored picture, to a thousandth of a pixel.

    Example: 153.7, which a record holds as 153.6999969482422, is 153.7 again.
    """
    return _rounded(box, _THOUSANDTHS)


def words(numbers: Numbers) -> str:
    """Return the numbers of a box as text, e.g. `[0.25, 0.1, 1.0, 0.9]`."""
    return f"[{', '.join(map(str, numbers))}]"


def _scaled(box: Box, across: float, down: float) -> Numbers:
    x0, y0, x1, y1 = box
    return _rounded((x0 * across, y0 * down, x1 * across, y1 * down), None)


def _rounded(numbers: Numbers, digits: int | None) -> Numbers:
    x0, y0, x1, y1 = (round(number, digits) for number in numbers)
    return x0, y0, x1, y1

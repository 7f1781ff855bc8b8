"""Regions drawn on the shown picture, each in its colour."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor, ImageDraw, ImageFont

from model.serve.web.sketch import Sketch
from schemas.colours import colour_of

_LINE = 4  # pixels
_ARM = 9  # of the cross at a clicked corner
_TEXT = 22  # the height of a number
_MASK, _ANSWERED = 90, 150  # opacity of a mask, and of what the last answer names; 0 to 255


def draw(sketch: Sketch) -> Image.Image | None:
    """Return the shown picture with its regions, their numbers, and a corner that was clicked.

    Regions that the last answer names are filled.
    """
    if sketch.shown is None:
        return None
    image = sketch.shown.copy()
    across, down = sketch.scale
    answered = sketch.answered
    for number, region in enumerate(sketch.regions, start=1):
        named = number in answered
        colour = colour_of(number)
        if region.brushed is not None:
            _fill(image, region.brushed, colour, _ANSWERED if named else _MASK)
            rows, columns = np.nonzero(region.brushed)
            corner = (int(columns.min()), int(rows.min()))
        else:
            x0, y0, x1, y1 = region.region
            box = (x0 / across, y0 / down, x1 / across - 1, y1 / down - 1)
            if named:
                inside = np.zeros((image.height, image.width), bool)
                inside[round(box[1]) : round(box[3]) + 1, round(box[0]) : round(box[2]) + 1] = True
                _fill(image, inside, colour, _ANSWERED)
            ImageDraw.Draw(image).rectangle(box, outline=colour, width=_LINE)
            corner = (round(box[0]), round(box[1]))
        _label(image, corner, str(number), colour)
    if sketch.corner is not None:
        _cross(image, sketch.corner, colour_of(len(sketch.regions) + 1))
    return image


def _fill(image: Image.Image, mask: NDArray[np.bool_], colour: str, opacity: int) -> None:
    shade = Image.fromarray(np.where(mask, opacity, 0).astype(np.uint8))
    image.paste(ImageColor.getrgb(colour), mask=shade)


def _label(image: Image.Image, corner: tuple[int, int], text: str, colour: str) -> None:
    """Draw a number on its colour, inside the picture."""
    pen, font = ImageDraw.Draw(image), ImageFont.load_default(_TEXT)
    width = round(pen.textlength(text, font=font)) + 6
    x = max(0, min(corner[0], image.width - width))
    y = max(0, min(corner[1], image.height - _TEXT - 4))
    pen.rectangle((x, y, x + width, y + _TEXT + 4), fill=colour)
    pen.text((x + 3, y + 1), text, fill="black", font=font)


def _cross(image: Image.Image, corner: tuple[int, int], colour: str) -> None:
    pen, (x, y) = ImageDraw.Draw(image), corner
    for shade, width in (("black", _LINE + 2), (colour, _LINE)):
        pen.line((x - _ARM, y, x + _ARM, y), fill=shade, width=width)
        pen.line((x, y - _ARM, x, y + _ARM), fill=shade, width=width)

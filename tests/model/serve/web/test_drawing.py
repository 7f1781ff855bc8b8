"""Regions on the shown picture."""

from typing import Any

import numpy as np
from PIL import Image, ImageColor

from model.serve.web.drawing import draw
from model.serve.web.sketch import Sketch
from schemas.colours import colour_of


def pixel(sketch: Sketch, x: int, y: int) -> Any:
    """The colour of a pixel of the drawing."""
    image = draw(sketch)
    assert image is not None
    return image.getpixel((x, y))


def test_each_region_has_its_colour_and_what_an_answer_names_is_filled():
    assert draw(Sketch()) is None
    sketch = Sketch()
    sketch.open(Image.new("RGB", (700, 600)))
    sketch.click(100, 100)
    sketch.click(299, 299)
    brushed = np.zeros((600, 700), bool)
    brushed[400:500, 400:600] = True
    sketch.brush(brushed)
    first, second = (ImageColor.getrgb(colour_of(number)) for number in (1, 2))
    assert pixel(sketch, 299, 200) == first  # the box's edge
    assert pixel(sketch, 200, 200) == (0, 0, 0)
    masked = pixel(sketch, 500, 450)
    assert masked[0] < masked[2] < second[2]  # the second colour, darkened
    sketch.messages = [{"role": "assistant", "content": "region1 and region2"}]
    assert 0 < pixel(sketch, 200, 200)[0] < first[0]
    assert masked[2] < pixel(sketch, 500, 450)[2] < second[2]
    assert pixel(sketch, 310, 200) == (0, 0, 0)
    assert sketch.shown is not None
    assert sketch.shown.getextrema() == ((0, 0),) * 3  # what is shown stays clean


def test_a_clicked_corner_has_a_cross_in_the_next_colour():
    sketch = Sketch()
    sketch.open(Image.new("RGB", (700, 600)))
    sketch.click(100, 100)
    assert pixel(sketch, 105, 100) == ImageColor.getrgb(colour_of(1))

"""Names of colours, read a second time: pixel by pixel, with exact fractions."""

import random
from fractions import Fraction

from PIL import Image

from pipelines.recap.captioning.colours import _RANGES, NAMES, outstanding

LEVELS = range(256)


def name_of(hue: int, saturation: int, value: int) -> str | None:
    """The first range that a pixel of HSV lies in."""
    pixel = Fraction(360 * hue, 256), Fraction(100 * saturation, 255), Fraction(100 * value, 255)
    for name, *ranges in _RANGES:
        if all(low <= each < high for each, (low, high) in zip(pixel, ranges, strict=True)):
            return name
    return None


def pixels() -> list[tuple[int, int, int]]:
    """Each level of each channel beside several of the others, and some at random."""
    chance = random.Random(0)
    hues = [(hue, strength, 220) for hue in LEVELS for strength in (90, 130, 255)]
    saturations = [(hue, level, 240) for hue in (0, 20, 100, 200) for level in LEVELS]
    values = [(hue, 200, level) for hue in (0, 20, 100, 200) for level in LEVELS]
    others = list(zip(*(chance.choices(LEVELS, k=1_000) for _ in range(3)), strict=True))
    return [*hues, *saturations, *values, *others]


def test_each_pixel_has_the_name_of_the_first_range_that_fits():
    names = {pixel: name_of(*pixel) for pixel in pixels()}
    assert set(names.values()) == {*NAMES, None}
    for pixel, name in names.items():
        colour = outstanding(Image.new("HSV", (1, 1), pixel))
        assert (colour and colour.name) == name, pixel

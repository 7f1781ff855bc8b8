"""Worsened masks beside a slow reading of what dilation and erosion are, pixel by pixel."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.mask import from_pixels
from transforms.mask_ablation import ablate_mask


def slowly(pixels, radius, variant):
    """Look around every pixel; nothing beyond the edge counts."""
    ablated_pixels = np.zeros_like(pixels)
    for y, x in np.ndindex(pixels.shape):
        top, left = max(0, y - radius), max(0, x - radius)
        around = pixels[top : y + radius + 1, left : x + radius + 1]
        ablated_pixels[y, x] = around.any() if variant == "dilated" else around.all()
    return ablated_pixels


def blank(height, width):
    return np.zeros((height, width), dtype=bool)


def ablated(pixels, variant):
    return ablate_mask(from_pixels(pixels), variant).pixels()


@st.composite
def masks(draw):
    """A few boxes in a narrow image, and the radius of the kernel for its longer side."""
    length, radius = draw(st.sampled_from([(240, 1), (336, 2), (480, 3), (640, 4), (1000, 7)]))
    pixels = blank(draw(st.integers(1, 12)), length)
    for _ in range(draw(st.integers(1, 4))):
        y, x = draw(st.integers(0, len(pixels) - 1)), draw(st.integers(0, length - 1))
        x = min(x, draw(st.sampled_from([x, radius, 2, 0])))  # many lie near an edge
        pixels[y : y + draw(st.integers(1, 12)), x : x + draw(st.integers(1, 40))] = True
    return (pixels.T if draw(st.booleans()) else pixels), radius


@given(masks())
def test_dilation_is_that_of_a_square(case):
    pixels, radius = case
    assert np.array_equal(ablated(pixels, "dilated"), slowly(pixels, radius, "dilated"))


@given(masks())
def test_erosion_is_that_of_a_square_unless_nothing_is_left(case):
    pixels, radius = case
    expected = (slowly(pixels, smaller, "eroded") for smaller in range(radius, -1, -1))
    left = next(image for image in expected if image.any())
    assert np.array_equal(ablated(pixels, "eroded"), left)


@pytest.mark.parametrize(
    ("side", "radius"),
    [(20, 0), (100, 0), (240, 1), (336, 2), (427, 3), (500, 3), (640, 4), (672, 4), (2000, 14)],
)
def test_the_kernel_grows_with_the_longer_side(side, radius):
    for shape in ((side, side // 2), (side // 2, side)):
        dot = blank(*shape)
        y, x = shape[0] // 2, shape[1] // 3
        dot[y, x] = True
        square = blank(*shape)
        square[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1] = True
        assert np.array_equal(ablated(dot, "dilated"), square)
        assert np.array_equal(ablated(square, "eroded"), dot)


def test_the_outside_neither_erodes_nor_grows():
    full = ~blank(336, 200)
    assert ablated(full, "eroded").all()
    assert ablated(full, "dilated").all()
    strip = blank(336, 200)
    strip[:, :10] = True
    assert np.array_equal(np.flatnonzero(ablated(strip, "eroded")[0]), np.arange(8))
    assert np.array_equal(np.flatnonzero(ablated(strip, "dilated")[335]), np.arange(12))


@pytest.mark.parametrize(("width", "left"), [(1, 1), (2, 2), (3, 1), (4, 2), (5, 1), (6, 2)])
def test_a_thin_mask_never_vanishes(width, left):
    line = blank(336, 336)
    line[20:300, 50 : 50 + width] = True
    eroded = ablated(line, "eroded")
    assert eroded.sum(axis=1).max() == left
    assert not (eroded & ~line).any()


def test_the_annotated_mask_is_left_as_it_is():
    mask = from_pixels(slowly(np.eye(30, 336, dtype=bool), 3, "dilated"))
    before = mask.counts
    ablate_mask(mask, "dilated")
    ablate_mask(mask, "eroded")
    assert mask.counts == before

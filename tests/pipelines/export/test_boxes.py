"""The forms of boxes: each coordinate is undone to half a step of its form, and no more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.export.boxes import (
    in_padded_square,
    in_resized_pixels,
    in_stored_pixels,
    in_thousandths,
    resized_size,
    words,
)


def from_square(numbers, width, height):
    side = max(width, height)
    left, top = (side - width) // 2, (side - height) // 2
    return [n * side - offset for n, offset in zip(numbers, (left, top) * 2, strict=True)]


def from_thousandths(numbers, width, height):
    return [n * side / 1000 for n, side in zip(numbers, (width, height) * 2, strict=True)]


def from_resized(numbers, width, height):
    sides = resized_size(width, height)
    pairs = zip(numbers, (width, height) * 2, sides * 2, strict=True)
    return [n * side / resized for n, side, resized in pairs]


# The inverse of each form, and its steps across and down: pixels of the stored picture.
INVERSES = {
    in_padded_square: (from_square, lambda size: (max(size) / 1000,) * 2),
    in_thousandths: (from_thousandths, lambda size: (size[0] / 1000, size[1] / 1000)),
    in_resized_pixels: (
        from_resized,
        lambda size: [a / b for a, b in zip(size, resized_size(*size), strict=True)],
    ),
}
SIDES = st.integers(1, 4000)


@pytest.mark.parametrize("form", INVERSES)
@given(width=SIDES, height=SIDES, parts=st.tuples(*[st.floats(0, 1)] * 4))
def test_a_box_comes_back_to_half_a_step(form, width, height, parts):
    box = [part * side for part, side in zip(parts, (width, height) * 2, strict=True)]
    inverse, steps_of = INVERSES[form]
    back = inverse(form(tuple(box), width, height), width, height)
    steps = steps_of((width, height))
    for stored, read, step in zip(box, back, [*steps, *steps], strict=True):
        assert abs(read - stored) <= step / 2 + 1e-6
        if form is not in_resized_pixels and max(width, height) <= 1000:
            assert abs(read - stored) <= 0.5 + 1e-6


def test_the_examples_of_the_docstrings():
    assert in_padded_square((0, 0, 640, 480), 640, 480) == (0.0, 0.125, 1.0, 0.875)
    assert in_padded_square((0, 0, 3, 9), 3, 9) == (0.333, 0.0, 0.667, 1.0)
    assert in_thousandths((0, 120, 640, 480), 640, 480) == (0, 250, 1000, 1000)
    assert in_resized_pixels((0, 0, 640, 480), 640, 480) == (0, 0, 644, 476)
    assert in_stored_pixels((153.6999969482422, 1.0, 2.5, 3.0)) == (153.7, 1.0, 2.5, 3.0)


def test_numbers_read_as_a_list():
    assert words((0.25, 0.1, 1.0, 0.9)) == "[0.25, 0.1, 1.0, 0.9]"
    assert words(in_thousandths((1, 2, 3, 4), 10, 10)) == "[100, 200, 300, 400]"


@pytest.mark.parametrize(
    ("size", "resized"),
    [
        ((640, 480), (644, 476)),
        ((28, 28), (56, 56)),  # enlarged to the least area
        ((40, 100), (28, 112)),
        ((30, 31), (56, 84)),
        ((427, 640), (420, 644)),
        ((3600, 3590), (3584, 3556)),
        ((8000, 6000), (4116, 3080)),  # reduced to the greatest area
        ((4328, 4328), (3556, 3556)),  # 3,584 would be the limit itself, but for rounding
    ],
)
def test_sizes_as_the_processor_makes_them(size, resized):
    width, height = resized_size(*size)
    assert (width, height) == resized
    assert width % 28 == height % 28 == 0

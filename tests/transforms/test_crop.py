"""Crops: exact pixels, safe sides, and JPEGs that are the same every time."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from transforms.crop import (
    ENLARGED_SIDE,
    MAX_ASPECT,
    MIN_SIDE,
    PADDING,
    SHOWN_SIDE,
    SentFrame,
    crop,
    encode_jpeg,
    enlarged,
    window,
)

WIDTH, HEIGHT = 320, 240


@st.composite
def boxes(draw) -> tuple[float, float, float, float]:
    x0 = draw(st.floats(0, WIDTH - 0.01))
    y0 = draw(st.floats(0, HEIGHT - 0.01))
    return x0, y0, draw(st.floats(x0 + 0.008, WIDTH)), draw(st.floats(y0 + 0.008, HEIGHT))


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def opened(data: bytes) -> Image.Image:
    with Image.open(BytesIO(data)) as image:
        assert (image.format, image.mode) == ("JPEG", "RGB")
        image.load()
        return image


@pytest.mark.parametrize(
    ("box", "context", "expected"),
    [
        ((10, 20, 50, 60), 0.0, (10, 20, 50, 60)),
        ((10.4, 20.9, 49.1, 59.2), 0.0, (10, 20, 50, 60)),
        ((100, 100, 140, 120), 0.5, (80, 90, 160, 130)),
        ((0, 0, 40, 20), 0.25, (0, 0, 50, 25)),
        ((300, 230, 320, 240), 1.0, (280, 220, 320, 240)),
        ((0, 0, 320, 240), 2.0, (0, 0, 320, 240)),
        ((100, 100, 101, 101), 0.0, (97, 97, 105, 105)),
        ((0, 0, 1, 1), 0.0, (0, 0, 8, 8)),
        ((319.5, 239.5, 320, 240), 0.0, (312, 232, 320, 240)),
        ((0, 100, 320, 101), 0.0, (0, 93, 320, 109)),
        ((5, 0, 6, 240), 0.0, (0, 0, 12, 240)),
    ],
)
def test_windows(box, context, expected):
    assert window(box, context, WIDTH, HEIGHT) == expected


@given(boxes(), st.floats(0, 2))
def test_a_window_holds_its_box_inside_the_picture_and_is_never_thin(box, context):
    x0, y0, x1, y1 = window(box, context, WIDTH, HEIGHT)
    assert 0 <= x0 <= box[0] <= box[2] <= x1 <= WIDTH
    assert 0 <= y0 <= box[1] <= box[3] <= y1 <= HEIGHT
    short, long = sorted((x1 - x0, y1 - y0))
    assert short >= MIN_SIDE
    assert long <= MAX_ASPECT * short


@given(boxes())
def test_a_box_that_is_not_thin_is_cut_exactly(box):
    x0, y0, x1, y1 = window(box, 0.0, WIDTH, HEIGHT)
    if min(box[2] - box[0], box[3] - box[1]) >= 16:
        assert (x0, y0) == (int(box[0]), int(box[1]))
        assert x1 - 1 < box[2] <= x1
        assert y1 - 1 < box[3] <= y1


@given(boxes())
def test_a_window_for_a_captioner_is_widened_about_its_box(box):
    x0, y0, x1, y1 = window(box, 0.0, WIDTH, HEIGHT, SHOWN_SIDE)
    assert 0 <= x0 <= box[0] <= box[2] <= x1 <= WIDTH
    assert 0 <= y0 <= box[1] <= box[3] <= y1 <= HEIGHT
    assert min(x1 - x0, y1 - y0) >= SHOWN_SIDE == 64
    exact = window(box, 0.0, WIDTH, HEIGHT)
    if min(exact[2] - exact[0], exact[3] - exact[1]) >= SHOWN_SIDE:
        assert (x0, y0, x1, y1) == exact


@example(83, 83, 50_400)
@given(st.integers(8, 700), st.integers(8, 700), st.integers(28 * 28, 512 * 512))
def test_a_small_crop_is_enlarged_within_its_budget(width, height, max_pixels):
    shown = enlarged(Image.new("RGB", (width, height)), max_pixels)
    short = min(shown.size)
    assert min(width, height) <= short <= max(ENLARGED_SIDE, min(width, height))
    if shown.size != (width, height):
        assert shown.width * shown.height <= max_pixels
        assert abs(shown.width / width - shown.height / height) < 1 / min(width, height)
        full = short == ENLARGED_SIDE
        assert full or (shown.width + 1) * (shown.height + 1) >= max_pixels - max(shown.size)


def test_a_crop_has_the_pixels_of_its_window():
    picture = noise(WIDTH, HEIGHT)
    pixels = np.asarray(crop(picture, (10, 20, 50, 60), 0.5))
    assert np.array_equal(pixels, np.asarray(picture)[0:80, 0:70])


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (3, 5000), (7, 7)])
def test_a_picture_that_is_thin_itself_stands_on_grey_ground(size):
    picture = Image.new("RGB", size, "white")
    box = (0.0, 0.0, float(size[0]), float(size[1]))
    image = opened(encode_jpeg(crop(picture, box, 0.0), 10**9))
    assert min(image.size) >= MIN_SIDE
    assert max(image.size) <= MAX_ASPECT * min(image.size)
    pixels = np.asarray(image).astype(int)
    assert pixels.max() > 200
    assert abs(pixels.min() - PADDING[0]) < 40


@given(st.integers(1, 700), st.integers(1, 700), st.integers(28 * 28, 512 * 512))
def test_a_picture_is_shrunk_to_its_budget_and_never_enlarged(width, height, max_pixels):
    shown = opened(encode_jpeg(Image.new("RGB", (width, height)), max_pixels))
    assert shown.width * shown.height <= max_pixels
    assert min(shown.size) >= 6
    if min(width, height) >= 36:
        assert shown.width <= width
        assert shown.height <= height
        if width * height <= max_pixels:
            assert shown.size == (width, height)
        else:
            assert shown.width * shown.height > 0.8 * max_pixels
            scale = shown.width / width
            assert abs(shown.height - height * scale) < 1 + max(1 / scale, height / width)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1"])
def test_any_picture_becomes_rgb(mode):
    opened(encode_jpeg(Image.new(mode, (30, 30)), 10**6))


def test_the_same_pixels_give_the_same_bytes():
    assert encode_jpeg(noise(200, 100), 5_000) == encode_jpeg(noise(200, 100), 5_000)
    assert encode_jpeg(noise(200, 100), 5_000) != encode_jpeg(noise(200, 101), 5_000)


def test_colours_survive():
    picture = Image.new("RGB", (16, 16), (208, 32, 38))
    assert (
        abs(np.asarray(opened(encode_jpeg(picture, 10**6))).astype(int) - (208, 32, 38)).max() < 6
    )


@pytest.mark.parametrize("size", [(300, 200), (900, 12), (5, 400), (40, 40)], ids=str)
@pytest.mark.parametrize("max_pixels", [10**6, 2_000])
def test_the_frame_of_a_sent_picture_has_a_box_and_a_mask_where_they_are_seen(size, max_pixels):
    width, height = size
    box = (width * 0.25, height * 0.5, width * 0.75, float(height))
    inside = np.zeros((height, width), bool)
    inside[round(box[1]) :, round(box[0]) : round(box[2])] = True
    picture = Image.fromarray(np.where(inside, 255, 0).astype(np.uint8))
    frame = SentFrame.of(picture, max_pixels)
    seen = np.asarray(opened(encode_jpeg(picture, max_pixels)).convert("L")) > 190
    assert seen.shape == frame.size[::-1]
    rows, columns = np.nonzero(seen)
    around = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    assert frame.box(box) == pytest.approx(around, abs=1.5)
    mask = np.asarray(frame.mask(Image.fromarray(inside)))
    assert (mask & seen).sum() > 0.75 * max(mask.sum(), seen.sum())

"""Frames: which one the annotations are in, and regions turned as Pillow turns their pixels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from msgspec.structs import replace
from PIL import Image, ImageOps
from PIL.ExifTags import Base

from schemas.mask import from_pixels
from schemas.rejection import Reason, Rejected
from schemas.sample import Conversation, Message, Region, Task
from transforms.orientation import annotated_as_stored, turn_regions, upright_size
from transforms.picture import Picture

WIDTH, HEIGHT = 7, 4
STANDING, LYING = (1, 2, 3, 4), (5, 6, 7, 8)


def picture(orientation: int, width: int = WIDTH, height: int = HEIGHT) -> Picture:
    upright = orientation == 1
    return Picture(width=width, height=height, orientation=orientation, untouched=upright)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_stored_frame_comes_first(make_image, orientation):
    assert annotated_as_stored(make_image(width=WIDTH, height=HEIGHT), picture(orientation))
    assert annotated_as_stored(make_image(width=5, height=5), picture(orientation, 5, 5))


@pytest.mark.parametrize("orientation", LYING)
def test_the_upright_frame_if_only_that_fits(make_image, orientation):
    assert not annotated_as_stored(make_image(width=HEIGHT, height=WIDTH), picture(orientation))
    assert upright_size(picture(orientation)) == (HEIGHT, WIDTH)


@pytest.mark.parametrize("orientation", STANDING)
def test_a_picture_that_does_not_lie_has_one_size(make_image, orientation):
    assert upright_size(picture(orientation)) == (WIDTH, HEIGHT)
    with pytest.raises(Rejected, match="image_size_mismatch"):
        annotated_as_stored(make_image(width=HEIGHT, height=WIDTH), picture(orientation))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "size", [(WIDTH + 1, HEIGHT), (WIDTH, HEIGHT + 1), (HEIGHT, HEIGHT), (HEIGHT, WIDTH + 1)]
)
def test_a_size_that_fits_neither_frame(make_image, orientation, size):
    with pytest.raises(Rejected) as refused:
        annotated_as_stored(make_image(width=size[0], height=size[1]), picture(orientation))
    assert refused.value.reason is Reason.IMAGE_SIZE_MISMATCH
    for words in (f"7 x 4 pixels (EXIF orientation {orientation})", f"{size[0]} x {size[1]} was"):
        assert words in refused.value.detail


def bounds(pixels: np.ndarray) -> tuple[float, ...]:
    """The box around all pixels that are on."""
    box = Image.fromarray(pixels.astype(np.uint8)).getbbox()
    assert box is not None
    return tuple(map(float, box))


def conversation(*regions: Region) -> Conversation:
    return Conversation(
        id="coco/train/7/region_classification/0",
        turn_tasks=(Task.REGION_CLASSIFICATION,),
        regions=regions,
        messages=(Message("user", "<image>\n<region1>"), Message("assistant", "cat")),
        prompts=("p",),
    )


@given(arrays(bool, (HEIGHT, WIDTH)).filter(np.any), st.integers(1, 8))
def test_boxes_and_masks_turn_as_pillow_turns_the_picture(pixels, orientation):
    stored = Image.fromarray(pixels.astype(np.uint8))
    stored.getexif()[Base.Orientation] = orientation
    expected = np.asarray(ImageOps.exif_transpose(stored)).astype(bool)
    x0, y0, x1, y1 = bounds(pixels)
    masked = Region(
        region_id="1",
        bbox=(x0, y0, x1, y1),
        mask=from_pixels(pixels),
        category="cat",
        caption="A cat.",
        score=0.5,
    )
    bare = Region(region_id="2", bbox=(x0, y0, x1, y1))
    talks = (conversation(masked, bare), conversation(bare))
    after = turn_regions(talks, picture(orientation))
    (first, second), (third,) = (talk.regions for talk in after)
    assert [region.bbox for region in (first, second, third)] == [bounds(expected)] * 3
    assert first.mask == from_pixels(expected)
    assert upright_size(picture(orientation)) == expected.shape[::-1]
    assert replace(first, bbox=masked.bbox, mask=masked.mask) == masked
    assert second == third == replace(bare, bbox=second.bbox)
    assert [replace(talk, regions=()) for talk in after] == [
        replace(talk, regions=()) for talk in talks
    ]

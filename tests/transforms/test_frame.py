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
from schemas.sample import Conversation, ImageInfo, Message, Region, Task
from transforms.frame import annotated_as_stored, turn_conversations, upright_size
from transforms.picture import Picture

WIDTH, HEIGHT = 7, 4
STANDING, LYING = (1, 2, 3, 4), (5, 6, 7, 8)


def picture(orientation: int, width: int = WIDTH, height: int = HEIGHT) -> Picture:
    upright = orientation == 1
    return Picture(width=width, height=height, orientation=orientation, untouched=upright)


def image(width: int, height: int) -> ImageInfo:
    return ImageInfo(
        source="coco",
        split="train",
        image_id="7",
        file_name="7.jpg",
        folder="coco/train",
        width=width,
        height=height,
        size_bytes=100,
        licence="CC BY 4.0",
        shards=1,
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_stored_frame_comes_first(orientation):
    assert annotated_as_stored(image(WIDTH, HEIGHT), picture(orientation))
    assert annotated_as_stored(image(5, 5), picture(orientation, 5, 5))


@pytest.mark.parametrize("orientation", LYING)
def test_the_upright_frame_if_only_that_fits(orientation):
    assert not annotated_as_stored(image(HEIGHT, WIDTH), picture(orientation))
    assert upright_size(picture(orientation)) == (HEIGHT, WIDTH)


@pytest.mark.parametrize("orientation", STANDING)
def test_a_picture_that_does_not_lie_has_one_size(orientation):
    assert upright_size(picture(orientation)) == (WIDTH, HEIGHT)
    with pytest.raises(Rejected, match="image_size_mismatch"):
        annotated_as_stored(image(HEIGHT, WIDTH), picture(orientation))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    "size", [(WIDTH + 1, HEIGHT), (WIDTH, HEIGHT + 1), (HEIGHT, HEIGHT), (HEIGHT, WIDTH + 1)]
)
def test_a_size_that_fits_neither_frame(orientation, size):
    with pytest.raises(Rejected) as refused:
        annotated_as_stored(image(*size), picture(orientation))
    assert refused.value.reason is Reason.IMAGE_SIZE_MISMATCH
    for found in (f"7 x 4 pixels (EXIF orientation {orientation})", f"{size[0]} x {size[1]} was"):
        assert found in refused.value.detail


def bounds(pixels: np.ndarray) -> tuple[float, ...]:
    """The box around all pixels that are on."""
    found = Image.fromarray(pixels.astype(np.uint8)).getbbox()
    assert found is not None
    return tuple(map(float, found))


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
    drawn = Image.fromarray(pixels.astype(np.uint8))
    drawn.getexif()[Base.Orientation] = orientation
    expected = np.asarray(ImageOps.exif_transpose(drawn)).astype(bool)
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
    before = conversation(masked, bare)
    first, second = turn_conversations([before, conversation(bare)], picture(orientation))
    turned = tuple(region.bbox for region in (*first.regions, *second.regions))
    assert turned == (bounds(expected),) * 3
    assert first.regions[0].mask == from_pixels(expected)
    assert upright_size(picture(orientation)) == expected.shape[::-1]
    back = replace(first.regions[0], bbox=masked.bbox, mask=masked.mask)
    assert replace(first, regions=(back, bare)) == before
    assert first.regions[1] == replace(bare, bbox=first.regions[1].bbox)

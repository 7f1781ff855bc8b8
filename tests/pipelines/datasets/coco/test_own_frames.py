"""Sizes that a user's own file does not state, and the frame of boxes on turned pictures."""

from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from pipelines.verify import verify
from schemas.errors import UsageError

ORIENTATION = 0x0112
WIDE, HIGH = (120, 80), (80, 120)  # of the stored pixels, and of the upright picture
BOTH = [10, 10, 40, 50]  # x, y, width, height; fits 120 x 80 and 80 x 120
ONLY_HIGH, ONLY_WIDE = [20, 90, 50, 25], [85, 20, 30, 50]
NEITHER = [100, 100, 50, 50]


@pytest.fixture
def phone_file(coco_file) -> Callable[..., Any]:
    """Makes a file of one picture of an EXIF orientation with some boxes."""

    def make(*boxes: list[float], orientation: int = 6, size: tuple[int, int] = WIDE, **image: Any):
        owner = coco_file()
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        Image.new("RGB", size, "red").save(owner.pictures / "1.jpg", exif=exif)
        item = {"id": 1, "file_name": "1.jpg", "width": size[0], "height": size[1]}
        owner.data["images"].append(item | image)
        for number, box in enumerate(boxes, start=11):
            owner.region(number, 1, bbox=box, segmentation=[])
        return owner.save()

    return make


def boxes(output) -> list[list[float]]:
    return [region["bbox"] for _, region in sorted(output.regions().items())]


def test_boxes_that_fit_only_the_upright_picture_are_of_it(phone_file, run_build):
    output = run_build(phone_file(BOTH, ONLY_HIGH))
    assert boxes(output) == [[10, 10, 50, 60], [20, 90, 70, 115]]
    assert [(row["width"], row["height"]) for row in output.rows()] == [HIGH]
    assert output.repaired() == {("image", "frame_by_boxes"): 1, ("image", "image_turned"): 1}
    assert verify(str(output.folder)).problems == []


def test_boxes_that_fit_both_frames_are_of_the_stored_pixels(phone_file, run_build):
    output = run_build(phone_file(BOTH))
    assert boxes(output) == [[20, 10, 70, 50]], "turned clockwise: x is 80 - 60 to 80 - 10"
    assert output.repaired() == {("image", "image_turned"): 1}


def test_boxes_that_fit_only_the_stored_pixels_are_of_them(phone_file, run_build):
    output = run_build(phone_file(BOTH, ONLY_WIDE))
    assert boxes(output) == [[20, 10, 70, 50], [10, 85, 60, 115]]


def test_boxes_of_both_sorts_reject_the_picture(phone_file, coco_file, run_build):
    owner = phone_file(BOTH, ONLY_HIGH, ONLY_WIDE)
    owner.good(2)
    output = run_build(owner.save())
    assert output.rejected() == [("image", "1", "ambiguous_frame")]
    assert output.with_image() == {"annotation": 3}
    assert output.images() == ["2"]


def test_a_box_that_fits_by_two_pixels_shows_nothing(phone_file, run_build):
    output = run_build(phone_file([20, 40, 30, 42]))
    assert output.repaired() == {("image", "image_turned"): 1, ("annotation", "box_clipped"): 1}
    output = run_build(phone_file([20, 40, 30, 42.5]))
    assert output.repaired()["image", "frame_by_boxes"] == 1


def test_a_box_that_fits_neither_frame_shows_nothing(phone_file, run_build):
    output = run_build(phone_file(BOTH, ONLY_HIGH, NEITHER))
    assert output.repaired()["image", "frame_by_boxes"] == 1
    assert output.rejected() == [("annotation", "13", "box_outside")]


@pytest.mark.parametrize("orientation", [1, 3])
def test_boxes_beyond_a_picture_that_lies_as_stored_are_clipped(phone_file, run_build, orientation):
    output = run_build(phone_file(BOTH, [20, 70, 50, 45], orientation=orientation))
    assert output.repaired()["annotation", "box_clipped"] == 1
    assert ("image", "frame_by_boxes") not in output.repaired()


def test_the_upright_size_decides_without_the_boxes(phone_file, run_build):
    output = run_build(phone_file(BOTH, width=HIGH[0], height=HIGH[1]))
    assert boxes(output) == [[10, 10, 50, 60]]
    assert output.repaired() == {("image", "image_turned"): 1}


# Orientation, frame, the box [10, 10, 50, 60] as it comes out.
STATED = [
    (6, "upright", [10, 10, 50, 60]),
    (6, "stored", [20, 10, 70, 50]),
    (3, "upright", [10, 10, 50, 60]),
    (3, "stored", [70, 20, 110, 70]),
    (2, "upright", [10, 10, 50, 60]),
    (2, "stored", [70, 10, 110, 60]),
    (1, "upright", [10, 10, 50, 60]),
    (1, "stored", [10, 10, 50, 60]),
]


# The same with the sizes that the file may state: only a quarter turn has an upright one.
SIZED = [
    (*case, sides)
    for case in STATED
    for sides in (WIDE, HIGH, (None, None))
    if sides != HIGH or case[0] == 6
]


@pytest.mark.parametrize(("orientation", "frame", "expected", "sides"), SIZED)
def test_a_flag_states_the_frame(phone_file, run_build, orientation, frame, expected, sides):
    owner = phone_file(BOTH, orientation=orientation, width=sides[0], height=sides[1])
    assert boxes(run_build(owner, request={"frame": frame})) == [expected]


def test_an_upright_frame_needs_pictures_in_the_shards(phone_file, run_build):
    with pytest.raises(UsageError, match="--images embed"):
        run_build(phone_file(BOTH), request={"frame": "upright"}, images="reference")


UNSTATED: list[dict[str, int | None]] = [
    {},
    {"width": None, "height": None},
    {"width": -1, "height": -1},
    {"width": 120, "height": None},
    {"width": 0, "height": 80},
]


@pytest.mark.parametrize("sides", UNSTATED)
def test_a_size_that_is_not_stated_is_the_pictures(phone_file, run_build, sides):
    owner = phone_file(BOTH, orientation=1)
    del owner.data["images"][0]["width"], owner.data["images"][0]["height"]
    owner.data["images"][0] |= sides
    output = run_build(owner.save())
    assert boxes(output) == [[10, 10, 50, 60]]
    assert [(row["width"], row["height"]) for row in output.rows()] == [WIDE]
    assert output.repaired() == {("image", "size_from_picture"): 1}


@pytest.mark.parametrize("side", [120.0, "120", "120.0"])
def test_a_size_in_another_form_is_read(phone_file, run_build, side):
    output = run_build(phone_file(BOTH, orientation=1, width=side))
    assert boxes(output) == [[10, 10, 50, 60]]
    assert output.repaired() == {}


def test_the_frame_of_a_picture_without_a_size_is_that_of_its_boxes(phone_file, run_build):
    output = run_build(phone_file(BOTH, ONLY_HIGH, width=None))
    assert boxes(output) == [[10, 10, 50, 60], [20, 90, 70, 115]]


def test_a_picture_without_a_size_that_cannot_be_opened_is_named(phone_file, run_build):
    owner = phone_file(BOTH, width=None).good(2)
    (owner.pictures / "1.jpg").write_bytes(b"no picture")
    output = run_build(owner.save())
    assert output.rejected() == [("image", "1", "image_not_an_image")]
    assert output.with_image() == {"annotation": 1}
    output.ledger()

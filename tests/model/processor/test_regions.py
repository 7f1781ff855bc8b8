"""Regions in every form are read alike, bad ones are named, and weights follow the frame."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from model.errors import InputError
from model.frame import Frame
from model.regions import Shape, model_boxes, model_weights, read_region, read_regions

WIDTH, HEIGHT = 64, 48
BOX = (10.0, 5.0, 30.0, 25.0)


def rectangle(width: int = WIDTH, height: int = HEIGHT) -> Any:
    mask = np.zeros((height, width), bool)
    mask[5:25, 10:30] = True
    return mask


def run_lengths(mask: Any) -> dict[str, Any]:
    """The compressed form that pycocotools gives, its counts as text."""
    runs = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return {"size": runs["size"], "counts": runs["counts"].decode()}


def counts(mask: Any) -> list[int]:
    """Run lengths, counted one pixel at a time down the columns; the first is of pixels off."""
    runs, on = [0], False
    for pixel in mask.T.ravel():
        if pixel != on:
            runs.append(0)
            on = pixel
        runs[-1] += 1
    return runs


BOXES = [
    BOX,
    [10, 5, 30, 25],
    np.array(BOX, np.float32),
    torch.tensor(BOX),
    {"bbox": list(BOX), "mask": None},
    {"bbox": np.array(BOX, np.float32), "mask": run_lengths(rectangle())},
]


@pytest.mark.parametrize("form", range(len(BOXES)))
def test_every_form_of_a_box(form: int) -> None:
    assert read_region(BOXES[form], WIDTH, HEIGHT, "box") == Shape(box=BOX)


MASKS = [
    rectangle(),
    rectangle().astype(np.uint8),
    rectangle().astype(np.uint8) * 255,
    torch.from_numpy(rectangle()),
    run_lengths(rectangle()),
    run_lengths(rectangle()) | {"counts": run_lengths(rectangle())["counts"].encode()},
    {"size": (HEIGHT, WIDTH), "counts": counts(rectangle())},
    {"bbox": [0, 0, 9, 9], "mask": run_lengths(rectangle())},
    {"bbox": None, "mask": rectangle()},
]


@pytest.mark.parametrize("form", range(len(MASKS)))
def test_every_form_of_a_mask(form: int) -> None:
    shape = read_region(MASKS[form], WIDTH, HEIGHT, "mask")
    assert shape.mask is not None
    assert np.array_equal(shape.mask.pixels(), rectangle())
    assert shape.bounds == BOX


def test_a_mask_alone_serves_a_model_of_boxes() -> None:
    assert read_region(MASKS[-1], WIDTH, HEIGHT, "box").bounds == BOX


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "NaN": (lambda: (1, 2, float("nan"), 4), "four finite numbers"),
    "infinite": (lambda: (1, 2, float("inf"), 4), "four finite numbers"),
    "inverted": (lambda: (30, 5, 10, 25), "x0 < x1 and y0 < y1"),
    "no area": (lambda: (30, 5, 30, 25), "a width and a height"),
    "outside": (lambda: (64, 0, 70, 10), "no part in a 64 x 48 image"),
    "three numbers": (lambda: (1, 2, 3), "expected x0, y0, x1, y1"),
    "text": (lambda: "left", "found 'left'"),
    "a number": (lambda: 3, "found 3"),
    "nothing": (lambda: None, "found None"),
    "ragged": (lambda: [[1], [2, 3]], r"found \[\[1\]"),
    "words": (lambda: {"bbox": ["a", 1, 2, 3]}, "expected four numbers"),
    "null corner": (lambda: {"bbox": [None, 1, 2, 3]}, "expected four numbers"),
    "empty": (lambda: np.zeros((HEIGHT, WIDTH), bool), "an empty mask"),
    "empty runs": (lambda: run_lengths(np.zeros((HEIGHT, WIDTH))), "an empty mask"),
    "turned": (lambda: rectangle(HEIGHT, WIDTH), "48 x 64 pixels on a picture of 64 x 48"),
    "other runs": (lambda: run_lengths(rectangle(50, 50)), "50 x 50 image on a 64 x 48 one"),
    "floats": (lambda: rectangle() * 0.5, "mask of float64, expected bool"),
    "labels": (lambda: rectangle() * 7, "mask of int64, expected bool, or integers 0 and 1"),
    "letters": (lambda: {"size": [48, 64], "counts": "\x7f!"}, "cannot stand"),
    "short": (lambda: {"size": [48, 64], "counts": [5]}, "sum to 5, expected 3072"),
    "below 0": (lambda: {"size": [48, 64], "counts": [-1, 3073]}, "a run of -1 pixels"),
    "no size": (lambda: {"counts": "abc"}, "malformed run lengths.*size"),
    "one side": (lambda: {"size": [48], "counts": "abc"}, "malformed run lengths.*size"),
    "COCO": (lambda: {"bbox": [1, 2, 3, 4], "segmentation": []}, "x, y, width, height"),
    "no keys": (lambda: {"box": [1, 2, 3, 4]}, r"the key bbox, mask or counts, found \['box'\]"),
    "polygon": (lambda: [[1, 2, 30, 2, 30, 40]], "a polygon is drawn as a mask first"),
    "cube": (lambda: np.zeros((2, HEIGHT, WIDTH), bool), "found array"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_region_is_named(case: str) -> None:
    make, message = BAD[case]
    regions = {1: BOX, 2: make()}
    with pytest.raises(InputError, match=rf"^row 3: region 2: .*{message}"):
        read_regions(regions, (WIDTH, HEIGHT), "mask", "row 3")


def test_a_box_partly_outside_is_clipped_with_a_warning() -> None:
    regions = {1: BOX, 2: (-5, 40, 20.5, 90)}
    with pytest.warns(UserWarning, match="row 3: region 2: .*beyond the picture of 64 x 48"):
        shapes = read_regions(regions, (WIDTH, HEIGHT), "box", "row 3")
    assert shapes[1].bounds == (0, 40, 20.5, 48)


def test_a_box_in_shares_of_the_picture_gives_a_warning() -> None:
    regions = {1: BOX, 2: (0.1, 0.2, 0.5, 1.0)}
    with pytest.warns(UserWarning, match="row 3: region 2: .* are pixels, not shares"):
        read_regions(regions, (WIDTH, HEIGHT), "box", "row 3")
    whole = {1: (0, 0, 1, 1)}
    assert read_regions(whole, (1, 1), "box", "row 3")[0].bounds == (0, 0, 1, 1)


def test_boxes_in_the_models_picture() -> None:
    shapes = [Shape(box=BOX), Shape(box=(0, 0, WIDTH, HEIGHT))]
    padded = model_boxes(shapes, Frame.padded(WIDTH, HEIGHT, 32))
    assert padded.tolist() == [[5, 6.5, 15, 16.5], [0, 4, 32, 28]]  # 8 rows of padding on each side
    stretched = model_boxes(shapes, Frame.stretched(WIDTH, HEIGHT, 96))
    assert stretched.tolist() == [[15, 10, 45, 50], [0, 0, 96, 96]]
    assert padded.dtype == np.float32
    assert model_boxes([], Frame.stretched(WIDTH, HEIGHT, 96)).shape == (0, 4)


SIDES = st.integers(1, 70)


@settings(max_examples=60)
@given(st.data(), SIDES, SIDES, st.sampled_from([Frame.padded, Frame.stretched]))
def test_a_box_weighs_as_its_rasterised_mask(
    data: Any, width: int, height: int, fit: Callable[..., Frame]
) -> None:
    x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    x1, y1 = data.draw(st.integers(x0 + 1, width)), data.draw(st.integers(y0 + 1, height))
    mask = np.zeros((height, width), bool)
    mask[y0:y1, x0:x1] = True
    frame = fit(width, height, 56, 14)
    shapes = [read_region(region, width, height, "mask") for region in ((x0, y0, x1, y1), mask)]
    assert shapes[0].bounds == shapes[1].bounds
    box, rasterised = model_weights(shapes, frame, 16, "row 0")
    assert box == pytest.approx(rasterised, abs=1e-5)
    # The picture fills whole patches, so no part of a region is lost.
    cell = (56 / 16) ** 2 / (frame.scale_x * frame.scale_y)  # square pixels of the owner
    assert box.sum() * cell == pytest.approx((x1 - x0) * (y1 - y0), rel=1e-4)


def test_a_region_beyond_the_last_patch_gets_a_cell_and_a_warning() -> None:
    frame = Frame.stretched(384, 384, 384, 14)  # 27 patches cover 378 pixels
    shape = read_region((379, 100, 384, 102), 384, 384, "box")
    with pytest.warns(UserWarning, match="row 0: 1 regions lie in the margin"):
        weights = model_weights([shape], frame, 108, "row 0")
    assert weights.sum() == 1
    assert weights[0, 28, 107] == 1  # the cell of 3.5 pixels at height 101, the last in its row


def test_good_regions_are_read_without_a_warning() -> None:
    shapes = read_regions(dict(enumerate(BOXES + MASKS)), (WIDTH, HEIGHT), "mask", "row 0")
    weights = model_weights(shapes, Frame.padded(WIDTH, HEIGHT, 56, 14), 16, "row 0")
    assert weights.shape == (len(BOXES + MASKS), 16, 16)
    assert weights.dtype == np.float32


def test_each_region_weighs_the_same_in_any_company() -> None:
    frame = Frame.stretched(WIDTH, HEIGHT, 56, 14)
    shapes = [
        read_region(region, WIDTH, HEIGHT, "mask")
        for pair in zip(BOXES, MASKS, strict=False)
        for region in pair
    ]
    together = model_weights(shapes, frame, 16, "row 0")
    alone = [model_weights([shape], frame, 16, "row 0")[0] for shape in shapes]
    assert len(shapes) > 2
    np.testing.assert_array_equal(together, alone)


def test_masks_of_a_record_are_read_together_as_each_is_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = np.zeros((HEIGHT, WIDTH), bool)
    other[::3, 7:60] = True
    masks = [rectangle(), other]
    regions = {
        2: {"bbox": list(BOX), "mask": run_lengths(masks[0])},
        5: {"bbox": list(BOX), "mask": None},
        9: {"bbox": list(BOX), "mask": run_lengths(masks[1])},
    }
    alone = [read_region(region, WIDTH, HEIGHT, "mask") for region in regions.values()]
    monkeypatch.setattr("model.regions.checked_counts", None)  # which reads one mask
    together = read_regions(regions, (WIDTH, HEIGHT), "mask", "row 3")
    assert [shape.box for shape in together] == [None, BOX, None]
    for shape, single in zip(together, alone, strict=True):
        assert shape.bounds == single.bounds
        if shape.mask is not None and single.mask is not None:
            assert np.array_equal(shape.mask.pixels(), single.mask.pixels())
    boxes = read_regions(regions, (WIDTH, HEIGHT), "box", "row 3")
    assert [shape.box for shape in boxes] == [BOX] * 3


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ({"size": [HEIGHT, WIDTH], "counts": "?"}, "region 2: "),
        ({"size": [HEIGHT, WIDTH], "counts": "\ud800"}, "region 2: "),
        ({"size": [WIDTH, HEIGHT], "counts": run_lengths(rectangle())["counts"]}, "region 2: run"),
        ({"size": np.array([1, 2]), "counts": "1"}, "region 2: malformed run lengths"),
    ],
)
def test_a_bad_mask_among_good_ones_is_named(mask: Any, message: str) -> None:
    good = {"bbox": list(BOX), "mask": run_lengths(rectangle())}
    regions = {1: good, 2: {"bbox": list(BOX), "mask": mask}, 3: good}
    with pytest.raises(InputError, match=message):
        read_regions(regions, (WIDTH, HEIGHT), "mask", "row 3")

"""Masks: any form becomes run lengths, and a mask that cannot be read leaves its box."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from pycocotools import mask as coco_mask

from schemas.ledger import Stage, ledger_of
from schemas.limits import MAX_MASK_PIXELS
from schemas.mask import from_polygons
from schemas.rejection import Kind, Repair
from schemas.sample import Region, ScreenedImage
from transforms.ledger import StageLedger
from transforms.mask_ablation import ablate_mask
from transforms.masks import add_masks

WIDTH, HEIGHT = 20, 10
SQUARE = [[2.0, 2.0, 6.0, 2.0, 6.0, 6.0, 2.0, 6.0]]
BOX = Region(region_id="1", bbox=(1.0, 2.0, 5.0, 6.0), area=88.5, category="cat", score=0.5)
OTHER = replace(BOX, region_id="2")


@pytest.fixture(scope="session")
def masked(make_image):
    """The regions 1 and 2 of an image, and the ledger; only region 1 has a segmentation."""

    def mask(segmentation: object, **size: int) -> tuple[Region, StageLedger]:
        ledger = StageLedger(Stage.SCREEN)
        raw = {"1": json.dumps(segmentation).encode()}
        screened = ScreenedImage(make_image(**size), (BOX, OTHER), segmentations=raw)
        made = add_masks(screened, ledger)
        first, second = made.regions
        assert (second, made.segmentations, ledger.rejections) == (OTHER, {}, [])
        return first, ledger

    return mask


def repairs(ledger: StageLedger) -> dict[Repair, int]:
    account = ledger_of(ledger.tally).account("coco", "train", Stage.SCREEN, Kind.ANNOTATION)
    assert account.read == account.kept == 0, "the screen has counted the regions"
    return account.repaired


def test_a_mask_is_made_and_nothing_else_changes(masked):
    region, ledger = masked(SQUARE)
    assert region == replace(BOX, mask=from_polygons(SQUARE, HEIGHT, WIDTH))
    assert repairs(ledger) == {}


@pytest.mark.parametrize("segmentation", [[], None])
def test_an_empty_segmentation_is_no_mask(masked, segmentation):
    region, ledger = masked(segmentation)
    assert (region, repairs(ledger)) == (BOX, {})


@pytest.mark.parametrize(
    ("bad", "repair"),
    [
        ([[1, 2, 3, 4]], Repair.MASK_MALFORMED),
        ("polygon", Repair.MASK_MALFORMED),
        ({"size": [WIDTH, HEIGHT], "counts": [200]}, Repair.MASK_SIZE_MISMATCH),
    ],
)
def test_a_mask_that_cannot_be_read_keeps_its_box(masked, bad, repair):
    region, ledger = masked(bad)
    assert (region, repairs(ledger)) == (BOX, {repair: 1})


def test_a_mask_of_too_large_an_image_keeps_its_box(masked):
    region, ledger = masked(SQUARE, width=65_500, height=2_000)
    assert (region, repairs(ledger)) == (BOX, {Repair.MASK_OVER_PIXEL_CAP: 1})


@pytest.mark.parametrize("variant", ["dilated", "eroded"])
def test_masks_are_ablated_where_the_recipe_says_so(make_image, variant):
    image = make_image(width=400, height=400)
    raw = {"1": json.dumps([[100, 100, 300, 100, 300, 300]]).encode()}
    large = replace(BOX, bbox=(100.0, 100.0, 300.0, 300.0))
    screened = ScreenedImage(image, (large,), segmentations=raw)
    (plain,), (changed,) = (
        add_masks(screened, StageLedger(Stage.SCREEN), kind).regions
        for kind in ("annotated", variant)
    )
    assert plain.mask is not None
    assert changed == replace(large, mask=ablate_mask(plain.mask, variant))
    assert changed != plain


@pytest.mark.parametrize(
    "polygon",
    [
        [12.0, 2.0, 16.0, 2.0, 16.0, 6.0, 12.0, 6.0],  # beside the box
        [2.0, 2.0, 22.0, 2.0, 22.0, 6.0, 2.0, 6.0],  # from the box, 17 pixels beyond it
    ],
)
def test_a_mask_of_something_else_leaves_its_box(masked, polygon):
    region, ledger = masked([polygon], width=40)
    assert (region, repairs(ledger)) == (BOX, {Repair.MASK_OFF_BOX: 1})


@pytest.mark.parametrize("pixels", [1, 2, 199, 200])
def test_a_mask_of_few_runs_is_no_blank_one(masked, pixels):
    kept, _ = masked({"size": [HEIGHT, WIDTH], "counts": [0, pixels, 200 - pixels]})
    assert kept.mask is not None
    assert kept.mask.area() == pixels


@pytest.mark.parametrize(
    "blank",
    [
        [[30.0, 30.0, 35.0, 30.0, 35.0, 35.0]],
        {"size": [HEIGHT, WIDTH], "counts": [200]},
        {"size": [HEIGHT, WIDTH], "counts": [10, 0] * 20},
        {"size": [HEIGHT, WIDTH], "counts": "X6"},
    ],
)
def test_a_blank_mask_is_dropped_and_counted(masked, blank):
    kept, ledger = masked(blank)
    assert kept == BOX
    assert repairs(ledger) == {Repair.MASK_EMPTY: 1}


@pytest.mark.parametrize(("width", "height"), [(640, 480), (4_000, 3_000), (8_192, 6_144)])
def test_a_blank_mask_of_a_large_picture_is_dropped_too(masked, width, height):
    blank = {"size": [height, width], "counts": [height * width]}
    kept, ledger = masked(blank, width=width, height=height)
    assert kept == BOX
    assert repairs(ledger) == {Repair.MASK_EMPTY: 1}


def characters(run: int) -> int:
    """How many characters of five bits a number of pixels takes, the last with a sign bit."""
    return run.bit_length() // 5 + 1


@pytest.mark.parametrize("bits", range(1, 25))
@pytest.mark.parametrize("beside", [-1, 0])
def test_the_shortest_and_longest_runs_of_each_length(bits, beside):
    pixels = 2**bits + beside
    whole = coco_mask.frPyObjects({"size": [1, pixels], "counts": [pixels]}, 1, pixels)
    assert len(whole["counts"]) == characters(pixels)


@given(st.integers(1, 65_500), st.integers(1, 65_500))
def test_a_blank_mask_never_takes_more_characters_than_are_looked_at(height, width):
    assert characters(height * width) <= characters(65_500 * 65_500) == 7
    if height * width <= MAX_MASK_PIXELS:
        corner = [[-2.0, -2.0, -1.0, -2.0, -1.0, -1.0]]
        blank = from_polygons(corner, height, width)
        assert (blank.area(), len(blank.counts)) == (0, characters(height * width))


def test_one_bad_mask_among_good_ones_is_the_only_one_that_is_lost(make_image):
    other = [[8.0, 1.0, 12.0, 1.0, 12.0, 5.0]]
    raw = {"1": json.dumps(SQUARE).encode(), "2": b"[[1, 2, 3]]", "3": json.dumps(other).encode()}
    third = replace(BOX, region_id="3", bbox=(8.0, 1.0, 12.0, 5.0))
    ledger = StageLedger(Stage.SCREEN)
    screened = ScreenedImage(make_image(), (BOX, OTHER, third), segmentations=raw)
    masks = [region.mask for region in add_masks(screened, ledger).regions]
    assert masks == [
        from_polygons(SQUARE, HEIGHT, WIDTH),
        None,
        from_polygons(other, HEIGHT, WIDTH),
    ]
    assert repairs(ledger) == {Repair.MASK_MALFORMED: 1}


def test_masks_of_several_polygons_stay_with_their_regions(make_image):
    parts = [SQUARE[0], [3.0, 6.0, 5.0, 6.0, 5.0, 8.0]]
    raw = {"1": json.dumps(parts).encode(), "2": json.dumps(SQUARE).encode()}
    screened = ScreenedImage(make_image(), (BOX, OTHER), segmentations=raw)
    masks = [region.mask for region in add_masks(screened, StageLedger(Stage.SCREEN)).regions]
    assert masks == [from_polygons(parts, HEIGHT, WIDTH), from_polygons(SQUARE, HEIGHT, WIDTH)]


def test_segmentations_of_regions_that_were_left_out_are_not_read(make_image):
    screened = ScreenedImage(make_image(), (BOX,), segmentations={"9": b"[[1, 2]]"})
    made = add_masks(screened, ledger := StageLedger(Stage.SCREEN))
    assert (made.regions, made.segmentations, repairs(ledger)) == ((BOX,), {}, {})

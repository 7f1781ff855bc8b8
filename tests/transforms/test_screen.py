"""Screen: a region that cannot be used goes with its reason, and its neighbours go on."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from pycocotools import mask as coco_mask

from schemas.ledger import Stage, ledger_of
from schemas.limits import MAX_MASK_PIXELS
from schemas.mask import from_polygons
from schemas.rejection import Kind, Reason, Repair
from schemas.sample import LabelSet, Region
from schemas.source import SourceImage, SourceRegion
from transforms.ledger import StageLedger
from transforms.screen import screen_image

WIDTH, HEIGHT = 20, 10
LABELS = LabelSet("Things", ("cat", "dog"))
SQUARE = [[2.0, 2.0, 6.0, 2.0, 6.0, 6.0, 2.0, 6.0]]
GOOD = SourceRegion(region_id="1", bbox=(1.0, 2.0, 5.0, 6.0), category="cat")
KEPT_GOOD = Region(region_id="1", bbox=(1.0, 2.0, 5.0, 6.0), category="cat")


def with_mask(segmentation: object) -> SourceRegion:
    return replace(GOOD, segmentation=json.dumps(segmentation).encode())


@pytest.fixture(scope="session")
def screened(make_image):
    """What is kept of regions of one image, and the ledger; it always balances."""

    def screen(*regions: SourceRegion, **size: int) -> tuple[tuple[Region, ...], StageLedger]:
        image, ledger = make_image(**size), StageLedger(Stage.SCREEN)
        kept = screen_image(SourceImage(image, regions, label_set=LABELS), ledger)
        assert (kept.image, kept.items, kept.label_set) == (image, (), LABELS)
        account = ledger_of(ledger.tally).account("coco", "train", Stage.SCREEN, Kind.ANNOTATION)
        assert (account.read, account.missing()) == (len(regions), 0)
        assert sum(account.rejected.values()) == len(ledger.rejections)
        return kept.regions, ledger

    return screen


def repairs(ledger: StageLedger) -> dict[Repair, int]:
    return ledger_of(ledger.tally).account("coco", "train", Stage.SCREEN, Kind.ANNOTATION).repaired


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (replace(GOOD, crowd=True), Reason.CROWD),
        (replace(GOOD, bbox=(math.nan, 0.0, 5.0, 5.0)), Reason.BOX_NOT_FINITE),
        (replace(GOOD, bbox=(5.0, 0.0, 4.0, 5.0)), Reason.BOX_INVERTED),
        (replace(GOOD, bbox=(5.0, 0.0, 5.0, 5.0)), Reason.BOX_ZERO_AREA),
        (replace(GOOD, bbox=(20.0, 0.0, 25.0, 5.0)), Reason.BOX_OUTSIDE),
        (replace(GOOD, category="_"), Reason.TEXT_EMPTY),
        (replace(GOOD, category="x" * 5_000), Reason.TEXT_TOO_LONG),
        (with_mask([[1, 2, 3, 4]]), Reason.MASK_MALFORMED),
        (with_mask({"size": [WIDTH, HEIGHT], "counts": [200]}), Reason.MASK_SIZE_MISMATCH),
        (replace(GOOD, crowd=True, bbox=(20.0, 0.0, 25.0, 5.0)), Reason.CROWD),
    ],
)
def test_a_region_that_cannot_be_used_leaves_its_neighbours(screened, bad, reason):
    bad = replace(bad, region_id="2")
    kept, ledger = screened(GOOD, bad, replace(GOOD, region_id="3"))
    assert kept == (KEPT_GOOD, replace(KEPT_GOOD, region_id="3"))
    (refused,) = ledger.rejections
    assert (refused.id, refused.kind, refused.reason) == ("2", Kind.ANNOTATION, reason)
    assert repairs(ledger) == {}


def test_an_image_without_regions_goes_on(screened):
    kept, ledger = screened()
    assert kept == ()
    assert ledger_of(ledger.tally).account("coco", "train", Stage.SCREEN, Kind.IMAGE).kept == 1


def test_a_box_that_reaches_beyond_is_clipped_and_counted(screened):
    (kept,), ledger = screened(replace(GOOD, bbox=(-1.0, 2.0, 25.0, 6.0)))
    assert kept.bbox == (0.0, 2.0, 20.0, 6.0)
    assert repairs(ledger) == {Repair.BOX_CLIPPED: 1}


def test_a_mask_is_kept_and_the_category_as_it_is_spelled(screened):
    (kept,), ledger = screened(replace(with_mask(SQUARE), category="traffic_light"))
    assert (kept.mask, kept.category) == (from_polygons(SQUARE, HEIGHT, WIDTH), "traffic_light")
    assert repairs(ledger) == {}


@pytest.mark.parametrize("pixels", [1, 2, 199, 200])
def test_a_mask_of_few_runs_is_no_blank_one(screened, pixels):
    (kept,), _ = screened(with_mask({"size": [HEIGHT, WIDTH], "counts": [0, pixels, 200 - pixels]}))
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
def test_a_blank_mask_is_dropped_and_counted(screened, blank):
    (kept,), ledger = screened(with_mask(blank))
    assert kept == KEPT_GOOD
    assert repairs(ledger) == {Repair.MASK_EMPTY: 1}


@pytest.mark.parametrize(("width", "height"), [(640, 480), (4_000, 3_000), (8_192, 6_144)])
def test_a_blank_mask_of_a_large_picture_is_dropped_too(screened, width, height):
    blank = with_mask({"size": [height, width], "counts": [height * width]})
    (kept,), ledger = screened(blank, width=width, height=height)
    assert kept == KEPT_GOOD
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


def test_the_owners_area_stays_whatever_is_clipped_or_worsened(make_image):
    box = (-5.0, 2.0, 5.0, 6.0)
    region = replace(with_mask(SQUARE), bbox=box, area=88.5)
    for masks in ("annotated", "dilated", "eroded"):
        source = SourceImage(make_image(), (region,), label_set=LABELS)
        (kept,) = screen_image(source, StageLedger(Stage.SCREEN), masks).regions
        assert (kept.bbox, kept.area) == ((0.0, 2.0, 5.0, 6.0), 88.5)


@pytest.mark.parametrize("area", [None, -1.0, math.inf, math.nan])
def test_an_area_that_is_none_costs_no_region(screened, area):
    (kept,), ledger = screened(replace(GOOD, area=area))
    assert (kept, repairs(ledger)) == (KEPT_GOOD, {})

"""Screen: a region that cannot be used goes with its reason, and its neighbours go on."""

import json
import math

import pytest
from msgspec.structs import replace

from schemas.item import AbsentExpression
from schemas.ledger import Stage, ledger_of
from schemas.rejection import Kind, Reason, Repair
from schemas.sample import LabelSet, Region
from schemas.source import SourceImage, SourceRegion
from transforms.ledger import StageLedger
from transforms.screen import screen_image

LABELS = LabelSet.of("Things", ("cat", "dog"))
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


@pytest.mark.parametrize(("min_side", "kept"), [(0, "123"), (4, "123"), (5, "2"), (20, "")])
def test_a_region_with_a_short_side_is_rejected(make_image, min_side, kept):
    wide = replace(GOOD, region_id="2", bbox=(0.0, 0.0, 30.0, 10.0))
    # Its side is that of the part within the image.
    outside = replace(GOOD, region_id="3", bbox=(-20.0, 0.0, 4.0, 10.0))
    ledger = StageLedger(Stage.SCREEN)
    source = SourceImage(make_image(width=40, height=40), (GOOD, wide, outside), label_set=LABELS)
    screened = screen_image(source, ledger, min_side)
    assert "".join(region.region_id for region in screened.regions) == kept
    assert {each.reason for each in ledger.rejections} <= {Reason.REGION_SMALL}
    account = ledger_of(ledger.tally).account("coco", "train", Stage.SCREEN, Kind.ANNOTATION)
    assert (account.read, account.kept, account.missing()) == (3, len(kept), 0)
    assert account.repaired == ({Repair.BOX_CLIPPED: 1} if "3" in kept else {})


def test_an_image_without_regions_goes_on(screened):
    kept, ledger = screened()
    assert kept == ()
    assert ledger_of(ledger.tally).account("coco", "train", Stage.SCREEN, Kind.IMAGE).kept == 1


def test_a_box_that_reaches_beyond_is_clipped_and_counted(screened):
    (kept,), ledger = screened(replace(GOOD, bbox=(-1.0, 2.0, 25.0, 6.0)))
    assert kept.bbox == (0.0, 2.0, 20.0, 6.0)
    assert repairs(ledger) == {Repair.BOX_CLIPPED: 1}


def test_a_category_stays_as_it_is_spelled(screened):
    (kept,), ledger = screened(replace(GOOD, category="traffic_light"))
    assert (kept.mask, kept.category) == (None, "traffic_light")
    assert repairs(ledger) == {}


def test_segmentations_of_kept_regions_go_on_unread(make_image):
    crowd = replace(with_mask("b"), region_id="2", crowd=True)
    regions = (with_mask("a"), crowd, replace(GOOD, region_id="3"))
    kept = screen_image(SourceImage(make_image(), regions), StageLedger(Stage.SCREEN))
    assert kept.segmentations == {"1": b'"a"'}


def test_the_owners_area_stays_whatever_is_clipped(screened):
    (kept,), _ = screened(replace(GOOD, bbox=(-5.0, 2.0, 5.0, 6.0), area=88.5))
    assert (kept.bbox, kept.area) == ((0.0, 2.0, 5.0, 6.0), 88.5)


@pytest.mark.parametrize("area", [None, -1.0, math.inf, math.nan])
def test_an_area_that_is_none_costs_no_region(screened, area):
    (kept,), ledger = screened(replace(GOOD, area=area))
    assert (kept, repairs(ledger)) == (KEPT_GOOD, {})


def test_expressions_of_other_images_are_cleaned(make_image):
    absent = tuple(
        AbsentExpression(str(number), text)
        for number, text in enumerate(("a cup: <image>", "\n ", "a red  bus", "x" * 5_000))
    )
    ledger = StageLedger(Stage.SCREEN)
    screened = screen_image(SourceImage(make_image(), (), absent=absent), ledger)
    assert screened.absent == (
        AbsentExpression("0", "a cup: (image)"),
        AbsentExpression("2", "a red bus"),
    )
    assert not ledger.rejections

"""The filter: captions and scores go onto regions; those unlike their crop are left out."""

from typing import Any

import pytest

from pipelines.recap.captioning.filter import filter_captions
from pipelines.recap.captioning.images import CaptionOutcome
from pipelines.recap.captioning.journal import RegionKey
from pipelines.recap.captioning.two_stages import Captioned, CaptionedImage
from pipelines.recap.clip.scorer import Score
from pipelines.recipes.recap import Filter
from schemas.item import RegionCaption
from schemas.ledger import Stage
from schemas.rejection import Reason, Rejected
from schemas.sample import ImageInfo, Region, ScreenedImage
from transforms.ledger import StageLedger

INFO = ImageInfo("recapd", "train", "7", "7.jpg", "", 64, 48, 100, "CC", 1)
BOX = (1.0, 2.0, 30.0, 40.0)
TEXTS = {
    "phrase": "a red mug on a table",
    "sentence": "A red mug stands on a table.",
    "paragraph": "A red mug. It stands on a table.",
}


def outcome(**captions: str | Rejected) -> Any:
    """An image with a region for each caption, drawn by a detector; keys are regions' ids."""
    regions = tuple(Region(key, BOX, category="mug", score=0.75) for key in captions)
    texts = {
        key: Captioned(text, "set/1") if isinstance(text, str) else text
        for key, text in captions.items()
    }
    journal: Any = None
    return CaptionOutcome(
        ScreenedImage(INFO, regions), journal, CaptionedImage(None, dict(texts)), {}
    )


def filtered(
    made: Any, scores: Any, threshold: float | None, threshold_min: float | None = None
) -> tuple[dict[str, Region], Any]:
    ledger = StageLedger(Stage.FILTER)
    limits = Filter(threshold=threshold, threshold_min=threshold_min, scorer="one")
    texts = {made.key(key): caption.text for key, caption in made.accepted().items()}
    by_text = scores and {(key, texts[key]): score for key, score in scores.items()}
    kept = filter_captions(made, by_text, limits, {}, ledger)
    return {region.region_id: region for region in kept.regions} if kept else {}, ledger


@pytest.mark.parametrize("kind", TEXTS)
def test_a_caption_goes_onto_its_region_with_its_scores(kind):
    scores = {RegionKey("7", "a"): Score(0.25, 0.125)}
    regions, _ = filtered(outcome(a=TEXTS[kind]), scores, 0.25)
    (region,) = regions.values()
    assert region.caption == TEXTS[kind]
    assert region.captions == (RegionCaption(kind, TEXTS[kind], 0.25, 0.125, None),)
    assert region.score == 0.75, "the detector's"


def test_without_a_scorer_all_are_kept_and_none_has_a_score():
    regions, _ = filtered(outcome(a="A mug.", b="A cup."), None, None)
    assert [region.caption for region in regions.values()] == ["A mug.", "A cup."]
    for region in regions.values():
        assert region.captions == (RegionCaption("sentence", region.caption or ""),)
        assert region.score == 0.75


def test_what_is_unlike_its_crop_is_rejected_by_the_mean():
    refused = Rejected(Reason.CAPTION_FAILED, "status 400")
    made = outcome(like="A mug.", unlike="A cup.", refused=refused)
    scores = {RegionKey("7", "like"): Score(0.25, -1.0), RegionKey("7", "unlike"): Score(0.2, 0.2)}
    regions, ledger = filtered(made, scores, 0.25)
    assert list(regions) == ["like"]
    (rejection,) = ledger.rejections
    assert (rejection.id, rejection.reason) == ("unlike", Reason.CAPTION_UNLIKE_CROP)
    assert "0.2000 (minimum 0.2000), expected a mean of 0.2500 at least" in rejection.detail
    assert "caption: A cup." in rejection.detail


def test_one_sentence_unlike_the_crop_is_enough_to_reject_a_caption():
    made = outcome(whole="A mug.", part="A cup. A dog.", both="A dog.")
    scores = {
        RegionKey("7", "whole"): Score(0.3, 0.15),
        RegionKey("7", "part"): Score(0.3, 0.1),
        RegionKey("7", "both"): Score(0.1, 0.1),
    }
    assert list(filtered(made, scores, 0.25)[0]) == ["whole", "part"]
    regions, ledger = filtered(made, scores, 0.25, 0.15)
    assert list(regions) == ["whole"]
    details = {rejection.id: rejection.detail for rejection in ledger.rejections}
    assert "expected a minimum of 0.1500 at least" in details["part"]
    assert "expected a mean of 0.2500 and a minimum of 0.1500 at least" in details["both"]


def test_a_filter_without_a_minimum_is_written_as_before():
    """So that an output of an earlier version is the same run."""
    assert Filter().model_dump() == {"threshold": None, "scorer": ""}
    assert Filter(threshold=0.2, threshold_min=0.0, scorer="one").model_dump() == {
        "threshold": 0.2,
        "threshold_min": 0.0,
        "scorer": "one",
    }

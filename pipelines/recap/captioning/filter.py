"""The filter of captions: it rejects what the judge holds for false, and what is unlike its crop.

A caption of which the judge leaves some sentences is scored without the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace as replace_fields
from functools import partial

from msgspec.structs import replace

from pipelines.recap.captioning.images import CaptionOutcome
from pipelines.recap.captioning.journal import RegionKey
from pipelines.recap.captioning.journaled import JournaledScorer, UnscoredCaption
from pipelines.recap.captioning.judged import JudgedFalse
from pipelines.recap.captioning.two_stages import Captioned
from pipelines.recap.clip.crops import decoded
from pipelines.recap.clip.scorer import Score
from pipelines.recap.repeats import LeftOut
from pipelines.recipes.recap import Filter
from schemas.item import RegionCaption
from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import Region, ScreenedImage
from transforms.ledger import StageLedger
from transforms.sentences import caption_kind

_BATCH_CROPS = 64

Scores = Mapping[tuple[RegionKey, str], Score]  # by region and text of the caption


def score_captions(outcomes: Sequence[CaptionOutcome], scorer: JournaledScorer) -> Scores:
    """Return the score of every text that the judge leaves; make only scores not in a journal.

    Where several captions of a region are left, all are scored.
    """
    scores: dict[tuple[RegionKey, str], Score] = {}
    unscored: list[tuple[CaptionOutcome, str, str]] = []
    for outcome in outcomes:
        for region_id, caption in outcome.left().items():
            key = outcome.key(region_id)
            for text in dict.fromkeys(text for each in caption.all_samples for text in each.texts):
                if (known := scorer.known(outcome.journal, key, text)) is not None:
                    scores[key, text] = known
                else:
                    unscored.append((outcome, region_id, text))
    for begin in range(0, len(unscored), _BATCH_CROPS):
        of_batch = unscored[begin : begin + _BATCH_CROPS]
        # A crop of several texts is one picture, which the scorer looks at once.
        crops = {outcome.key(name): outcome.crops[name] for outcome, name, _ in of_batch}
        pictures = {key: decoded(crop) for key, crop in crops.items()}
        batch = [
            UnscoredCaption(outcome.journal, key, pictures[key], text)
            for outcome, name, text in of_batch
            if (key := outcome.key(name))
        ]
        keys = [(each.region, each.caption) for each in batch]
        scores.update(zip(keys, scorer.score(batch), strict=True))
    return scores


def choose_similar(outcome: CaptionOutcome, scores: Scores, limits: Filter) -> CaptionOutcome:
    """Return the captions of an image with the one of each region that is most like its crop.

    One that reaches the limits is chosen, where there is one; of equal ones the first.
    """

    def likeness(region_id: str, caption: Captioned) -> tuple[bool, float]:
        score = scores[outcome.key(region_id), caption.text]
        return _unlike_crop(caption.text, score, limits) is None, score.mean

    chosen = {
        region_id: max(caption.all_samples, key=partial(likeness, region_id))
        for region_id, caption in outcome.left().items()
        if caption.samples
    }
    return outcome.with_chosen(
        {region_id: replace_fields(each, samples=()) for region_id, each in chosen.items()}
    )


def filter_captions(
    outcome: CaptionOutcome,
    scores: Scores | None,
    limits: Filter,
    repeats: Mapping[tuple[str, str], LeftOut],
    ledger: StageLedger,
) -> ScreenedImage | None:
    """Return an image with only the regions whose captions are kept, or None if no caption is.

    Args:
        outcome: the captions of the image.
        scores: the scores of the captions; None: all captions are kept.
        limits: the similarities that a caption must reach.
        repeats: captions that repeat others, by the ids of image and region.
        ledger: the ledger of the filter stage.
    """
    image, accepted, left = outcome.screened.image, outcome.accepted(), outcome.left()
    ledger.read(image, Kind.IMAGE)
    ledger.read(image, Kind.ANNOTATION, len(accepted))
    kept = []
    for region in outcome.screened.regions:
        if region.region_id not in accepted:
            continue
        if (false := outcome.judged_false(region.region_id)) is not None:
            text = accepted[region.region_id].text
            judge = false.probability if isinstance(false, JudgedFalse) else None
            refused = outcome.rejected(region, text, judge=judge)
            ledger.reject(image, Kind.ANNOTATION, region.region_id, false, refused)
            continue
        caption = left[region.region_id]
        key = outcome.key(region.region_id)
        known = {text: scores[key, text] for text in caption.texts} if scores is not None else {}
        score = known.get(caption.text)
        repeat = repeats.get((image.image_id, region.region_id))
        cause = _unlike_crop(caption.text, score, limits) if score is not None else None
        if cause is None and repeat is not None:
            cause = repeat.rejected(caption.text)
        if cause is not None:
            judge = caption.true.get(caption.text)
            refused = outcome.rejected(region, caption.text, score, judge)
            ledger.reject(image, Kind.ANNOTATION, region.region_id, cause, refused)
        else:
            kept.append(_captioned(region, caption, known, limits))
    ledger.kept(image, Kind.ANNOTATION, len(kept))
    if not kept:
        cause = Rejected(Reason.NO_REGIONS, "no caption passes the filter")
        ledger.reject(image, Kind.IMAGE, image.image_id, cause)
        return None
    ledger.kept(image, Kind.IMAGE)
    return replace(outcome.screened, regions=tuple(kept))


def _unlike_crop(text: str, score: Score, limits: Filter) -> Rejected | None:
    """Return why a caption is rejected, or None if it reaches both limits."""
    expected = []
    if limits.threshold is not None and score.mean < limits.threshold:
        expected.append(f"a mean of {limits.threshold:.4f}")
    if limits.threshold_min is not None and score.minimum < limits.threshold_min:
        expected.append(f"a minimum of {limits.threshold_min:.4f}")
    if not expected:
        return None
    return Rejected(
        Reason.CAPTION_UNLIKE_CROP,
        f"mean similarity {score.mean:.4f} (minimum {score.minimum:.4f}), expected "
        f"{' and '.join(expected)} at least; caption: {text}",
    )


def _captioned(
    region: Region, caption: Captioned, scores: Mapping[str, Score], limits: Filter
) -> Region:
    """Return a region with its caption, and with those of its other texts that reach the limits."""
    kept = tuple(
        _scored(text, scores.get(text), caption.true.get(text))
        for text in caption.texts
        if text == caption.text
        or text not in scores
        or _unlike_crop(text, scores[text], limits) is None
    )
    attributes = (*region.attributes, *caption.attributes)
    return replace(region, caption=caption.text, captions=kept, attributes=attributes)


def _scored(text: str, score: Score | None, judge: float | None) -> RegionCaption:
    clip, clip_min = (score.mean, score.minimum) if score else (None, None)
    return RegionCaption(caption_kind(text), text, clip, clip_min, judge)

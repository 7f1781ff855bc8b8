"""The filter of captions: it rejects a caption whose CLIP score with its crop is too low."""

from collections.abc import Mapping, Sequence
from io import BytesIO

from msgspec.structs import replace
from PIL import Image

from pipelines.recap.captioning.images import CaptionOutcome
from pipelines.recap.captioning.journal import RegionKey
from pipelines.recap.captioning.journaled import JournaledScorer, UnscoredCaption
from pipelines.recap.captioning.two_stages import Captioned
from pipelines.recap.clip.scorer import Score
from pipelines.recipes.recap import Filter
from schemas.item import RegionCaption
from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import Region, ScreenedImage
from transforms.ledger import StageLedger
from transforms.sentences import caption_kind

_BATCH_CROPS = 64

Scores = Mapping[RegionKey, Score]


def score_captions(outcomes: Sequence[CaptionOutcome], scorer: JournaledScorer) -> Scores:
    """Return the score of every accepted caption, by region; make only scores not in a journal."""
    scores: dict[RegionKey, Score] = {}
    unscored: list[tuple[CaptionOutcome, str, str]] = []
    for outcome in outcomes:
        for region_id, caption in outcome.accepted().items():
            key = outcome.key(region_id)
            if (known := scorer.known(outcome.journal, key, caption.text)) is not None:
                scores[key] = known
            else:
                unscored.append((outcome, region_id, caption.text))
    for begin in range(0, len(unscored), _BATCH_CROPS):
        batch = [
            UnscoredCaption(
                outcome.journal, outcome.key(region_id), _decoded(outcome.crops[region_id]), caption
            )
            for outcome, region_id, caption in unscored[begin : begin + _BATCH_CROPS]
        ]
        scores.update(zip((each.region for each in batch), scorer.score(batch), strict=True))
    return scores


def filter_captions(
    outcome: CaptionOutcome, scores: Scores | None, limits: Filter, ledger: StageLedger
) -> ScreenedImage | None:
    """Return an image with only the regions whose captions are kept, or None if no caption is.

    Args:
        outcome: the captions of the image.
        scores: the scores of the captions; None: all captions are kept.
        limits: the similarities that a caption must reach.
        ledger: the ledger of the filter stage.
    """
    image, accepted = outcome.screened.image, outcome.accepted()
    ledger.read(image, Kind.IMAGE)
    ledger.read(image, Kind.ANNOTATION, len(accepted))
    kept = []
    for region in outcome.screened.regions:
        if (caption := accepted.get(region.region_id)) is None:
            continue
        score = scores[outcome.key(region.region_id)] if scores is not None else None
        if score is not None and (cause := _unlike_crop(caption, score, limits)) is not None:
            refused = outcome.rejected(region, caption.text, score)
            ledger.reject(image, Kind.ANNOTATION, region.region_id, cause, refused)
        else:
            kept.append(_captioned(region, caption, score))
    ledger.kept(image, Kind.ANNOTATION, len(kept))
    if not kept:
        cause = Rejected(Reason.NO_REGIONS, "no caption is like its crop")
        ledger.reject(image, Kind.IMAGE, image.image_id, cause)
        return None
    ledger.kept(image, Kind.IMAGE)
    return replace(outcome.screened, regions=tuple(kept))


def _unlike_crop(caption: Captioned, score: Score, limits: Filter) -> Rejected | None:
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
        f"{' and '.join(expected)} at least; caption: {caption.text}",
    )


def _captioned(region: Region, caption: Captioned, score: Score | None) -> Region:
    clip, clip_min = (score.mean, score.minimum) if score else (None, None)
    kept = RegionCaption(caption_kind(caption.text), caption.text, clip, clip_min)
    return replace(region, caption=caption.text, captions=(kept,))


def _decoded(jpeg: bytes) -> Image.Image:
    with Image.open(BytesIO(jpeg)) as opened:
        return opened.convert("RGB")

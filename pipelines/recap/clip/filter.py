"""From captions to regions that carry them: scored against their crops, and filtered."""

from collections.abc import Mapping, Sequence
from io import BytesIO

from msgspec.structs import replace
from PIL import Image

from pipelines.recap.captioning.images import Outcome, region_key
from pipelines.recap.captioning.journal import JournaledScorer, Notes
from pipelines.recap.captioning.two_stages import Captioned
from pipelines.recap.clip.scorer import Score
from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import Region, ScreenedImage
from transforms.ledger import StageLedger

BATCH_CROPS = 64

Scores = Mapping[str, Score]  # by region key


def score_outcomes(outcomes: Sequence[Outcome], scorer: JournaledScorer) -> dict[str, Score]:
    """Return the score of every caption, by region key; those in the journal are not made again."""
    scores: dict[str, Score] = {}
    waiting: list[tuple[Notes, str, bytes, str]] = []
    for outcome in outcomes:
        for region_id, caption in outcome.accepted().items():
            key = region_key(outcome.image, region_id)
            if (known := scorer.known(outcome.notes, key, caption.text)) is not None:
                scores[key] = known
            else:
                waiting.append((outcome.notes, key, outcome.crops[region_id], caption.text))
    for begin in range(0, len(waiting), BATCH_CROPS):
        notes, keys, crops, texts = zip(*waiting[begin : begin + BATCH_CROPS], strict=True)
        found = scorer.score(notes, keys, [_opened(crop) for crop in crops], texts)
        scores.update(zip(keys, found, strict=True))
    return scores


def filter_outcome(
    outcome: Outcome, scores: Scores | None, threshold: float | None, ledger: StageLedger
) -> ScreenedImage | None:
    """Return the image with the regions whose captions stay, or None where none does.

    Args:
        outcome: of the captioner.
        scores: of its captions; None: they are not filtered.
        threshold: mean similarity that a caption must reach.
        ledger: of the stage.
    """
    image = outcome.image.image
    ledger.read(image, Kind.IMAGE)
    accepted = outcome.accepted()
    ledger.read(image, Kind.ANNOTATION, len(accepted))
    kept = []
    for region in outcome.image.regions:
        if (caption := accepted.get(region.region_id)) is None:
            continue
        score = scores[region_key(outcome.image, region.region_id)] if scores is not None else None
        if score is not None and threshold is not None and score.mean < threshold:
            cause = Rejected(
                Reason.CAPTION_UNLIKE_CROP,
                f"mean similarity {score.mean:.4f} (minimum {score.minimum:.4f}), expected "
                f"{threshold:.4f} at least; caption: {caption.text}",
            )
            ledger.reject(image, Kind.ANNOTATION, region.region_id, cause)
        else:
            kept.append(_captioned(region, caption, score))
    ledger.kept(image, Kind.ANNOTATION, len(kept))
    if not kept:
        cause = Rejected(Reason.NO_REGIONS, "no caption is like its crop")
        ledger.reject(image, Kind.IMAGE, image.image_id, cause)
        return None
    ledger.kept(image, Kind.IMAGE)
    return ScreenedImage(image, tuple(kept))


def _captioned(region: Region, caption: Captioned, score: Score | None) -> Region:
    return replace(region, caption=caption.text, score=score.mean if score else None)


def _opened(crop: bytes) -> Image.Image:
    with Image.open(BytesIO(crop)) as image:
        return image.convert("RGB")

"""The calibration of a threshold between scores of true captions and of other regions' captions.

A matched pair is a crop and its caption; a shuffled pair is a crop and the caption of a region of
another image. The threshold is chosen by these two kinds. Hard pairs, whose caption is of another
region of the same image or of the same class, show what it lets through beside.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from pipelines.output.reader import read_manifest
from pipelines.recap.clip.curve import Curve, Scores, curve, roc_area
from pipelines.recap.clip.pairs import Sampled, load_crops, sample_pairs
from pipelines.recap.clip.scorer import Scorer
from pipelines.recipes.recap import Filter
from pipelines.storage import files
from schemas.errors import UsageError

_MIN_PAIRS = 20
_BATCH_PAIRS = 64
LEAST_AREA = 0.75  # ROC area below which a scorer hardly tells captions apart; chance is 0.5

OnProgress = Callable[[int, int], None]  # number of pairs scored so far, number of all pairs


class HardPairs(BaseModel):
    """What a threshold lets through of one kind of hard pairs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pairs: int = Field(ge=1)
    false_accept: float = Field(ge=0, le=1)  # share of the pairs that pass
    roc_area: float = Field(ge=0, le=1)  # of matched pairs against them


class MarkCount(BaseModel):
    """The numbers of captions that people marked, by which a threshold was chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    good: int = Field(ge=1)
    bad: int = Field(ge=1)


class Calibration(BaseModel):
    """A threshold, and its error rates on the pairs by which it was chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: FiniteFloat  # captions are kept if their mean similarity reaches it
    false_accept: float = Field(ge=0, le=1)  # share of shuffled pairs, or bad captions, that pass
    false_reject: float = Field(ge=0, le=1)  # share of matched pairs, or good captions, that fail
    wanted_false_accept: float | None = Field(ge=0, le=1)  # None: minimise both
    roc_area: float = Field(ge=0, le=1)
    pairs: int = Field(ge=1)  # number of matched pairs, and of shuffled pairs; or of all marks
    scorer: str  # identity of the scorer, and its view of a region
    seed: int
    # Kinds of pairs that there are: "same_image", "same_class"; empty in files of earlier versions.
    hard: dict[str, HardPairs] = {}
    marks: MarkCount | None = None  # None: the threshold was chosen by pairs

    @property
    def separates(self) -> bool:
        """Whether the scorer tells captions of one image from those of another at all."""
        return self.roc_area >= LEAST_AREA

    def check_scorer(self, identity: str) -> Self:
        """Return the calibration, or raise `UsageError` if it was made with another scorer."""
        if identity != self.scorer:
            raise UsageError(
                f"the calibration is for the scorer {self.scorer!r}, this run scores with "
                f"{identity!r}: calibrate anew, or give the same --clip-model, --clip-weights, "
                "--clip-alpha and --mask-blur"
            )
        return self


class CalibrationRun(NamedTuple):
    """A calibration, and the scores of the pairs by which its threshold was chosen."""

    calibration: Calibration
    curve: Curve
    matched: Scores
    shuffled: Scores
    filtered: bool  # the run's captions had been filtered by score already
    sharp_area: float | None  # ROC area without the blur outside masks; None: no blur was asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationOptions:
    """The pairs to score, and the errors that a threshold may make."""

    pairs: int = 2000  # maximum number of matched pairs, and of each other kind
    false_accept: float | None = None  # share of shuffled pairs that may pass; None: fewest errors
    seed: int = 0
    mask_blur: bool = False  # blur crops outside masks
    mask_alpha: bool = False  # the scorer sees masks


def load_calibration(path: str, flag: str = "--calibration") -> Calibration:
    """Return the calibration in a JSON file, or raise `UsageError` if it cannot be read.

    Args:
        path: path of the file.
        flag: the flag that named the file, for messages.
    """
    try:
        with files.open_read(path) as file:
            return Calibration.model_validate_json(file.read())
    except OSError as error:
        raise UsageError(f"{flag} {path}: {error.strerror or error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UsageError(
            f"{flag} {path}: {where}: {first['msg']}; expected what `regionforge calibrate` wrote"
        ) from None


def sample_captions(output: str, options: CalibrationOptions) -> list[Sampled]:
    """Return regions of a run with their captions and those of others, which takes no scorer.

    Args:
        output: the folder of a finished run.
        options: the pairs to score.

    Raises:
        UsageError: the folder holds no finished run, a run with too few captions, or one whose
            pictures are not in its shards.
    """
    paths = [files.join(output, shard.path) for shard in read_manifest(output).shards]
    sampled = sample_pairs(paths, options.pairs, options.seed)
    if len(sampled) < _MIN_PAIRS:
        raise UsageError(
            f"{output}: {len(sampled)} captions can be paired with one of another image, expected "
            f"{_MIN_PAIRS} or more: it takes the output of `regionforge recap`, of more images"
        )
    load_crops([sampled[0].region], mask_blur=False)
    return sampled


def calibrate(
    sampled: Sequence[Sampled],
    scorer: Scorer,
    options: CalibrationOptions,
    on_progress: OnProgress,
) -> CalibrationRun:
    """Score matched, shuffled and hard pairs of a run's captions, and choose a threshold.

    Args:
        sampled: the pairs, see `sample_captions`.
        scorer: the scorer of the pairs, for which the threshold is valid.
        options: the view of a region, and the errors that the threshold may make.
        on_progress: function that is called when the pairs of some regions have been scored.

    Raises:
        UsageError: a picture cannot be read.
    """
    views: list[dict[str, list[float]]] = [defaultdict(list) for _ in range(1 + options.mask_blur)]
    for begin in range(0, len(sampled), _BATCH_PAIRS):
        batch = sampled[begin : begin + _BATCH_PAIRS]
        crops = load_crops(
            [each.region for each in batch],
            mask_blur=options.mask_blur,
            mask_alpha=options.mask_alpha,
        )
        for view, of_view in zip(views, zip(*crops, strict=True), strict=True):
            _score(scorer, batch, of_view, view)
        on_progress(begin + len(batch), len(sampled))
    scores = {kind: np.array(means) for kind, means in views[-1].items()}
    errors = curve(scores["matched"], scores["shuffled"])
    filtered = any(each.region.scored for each in sampled)
    kept = Filter(
        scorer=scorer.identity, mask_blur=options.mask_blur, mask_alpha=options.mask_alpha
    )
    calibration = calibration_of(kept.scored_by or "", options, scores, errors)
    sharp = roc_area(*(np.array(views[0][kind]) for kind in ("matched", "shuffled")))
    return CalibrationRun(
        calibration,
        errors,
        scores["matched"],
        scores["shuffled"],
        filtered,
        sharp if options.mask_blur else None,
    )


def captions_of(each: Sampled) -> Iterator[tuple[str, str]]:
    """Yield the captions that a region is paired with, each after the kind of the pair."""
    captions = {
        "matched": each.region.caption,
        "shuffled": each.other_image,
        "same_image": each.same_image,
        "same_class": each.same_class,
    }
    yield from ((kind, caption) for kind, caption in captions.items() if caption is not None)


def calibration_of(
    scored_by: str, options: CalibrationOptions, scores: Mapping[str, Scores], errors: Curve
) -> Calibration:
    """Return the calibration by the scores of pairs, by kind.

    Args:
        scored_by: what the threshold is valid for.
        options: the errors that the threshold may make.
        scores: the scores of all pairs, by kind.
        errors: the error rates at each threshold.
    """
    share, matched = options.false_accept, scores["matched"]
    index = errors.balanced() if share is None else errors.accepting(share)
    threshold = float(errors.thresholds[index])
    return Calibration(
        threshold=threshold,
        false_accept=float(errors.false_accepts[index]),
        false_reject=float(errors.false_rejects[index]),
        wanted_false_accept=share,
        roc_area=roc_area(matched, scores["shuffled"]),
        pairs=len(matched),
        scorer=scored_by,
        seed=options.seed,
        hard={
            kind: HardPairs(
                pairs=len(hard),
                false_accept=float((hard >= threshold).mean()),
                roc_area=roc_area(matched, hard),
            )
            for kind, hard in scores.items()
            if kind not in ("matched", "shuffled")
        },
    )


def _score(
    scorer: Scorer,
    batch: Sequence[Sampled],
    crops: Sequence[Image.Image],
    scores: dict[str, list[float]],
) -> None:
    """Score the captions of a batch against its crops, and add the means to those of their kind."""
    pairs = [
        (kind, crop, caption)
        for each, crop in zip(batch, crops, strict=True)
        for kind, caption in captions_of(each)
    ]
    scored = scorer.score([crop for _, crop, _ in pairs], [caption for *_, caption in pairs])
    for (kind, *_), score in zip(pairs, scored, strict=True):
        scores[kind].append(score.mean)

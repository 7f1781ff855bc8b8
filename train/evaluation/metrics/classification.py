"""Classification of given regions: mean average precision (mAP), and accuracy.

As RegionGPT's test on COCO: an answer outside the names is wrong for accuracy, and no detection for
mAP. All boxes have the same score there, so that AP depends on their order: it is that of the image
ids, then of the region ids. Beside it stands mAP with the probability of the answer's tokens as
score. Sizes are by the owner's area of the object, as in COCOeval: an area on a bound belongs to
both sides. Crowds, which builds leave out, excuse no wrong answer nearby. See `naming` for the
normalisation of answers.

A large label set is not stored with its entries. Then the names are the references of all answers:
accuracy and mAP are the same as with all names, as categories without an object have no part in
them, but a right name of no object counts as outside the names.
"""

from collections.abc import Sequence

from schemas.errors import InputFileError
from train.evaluation.answers import Answer
from train.evaluation.figure import Figure
from train.evaluation.metrics.average_precision import SIZES, Detection, average_precision
from train.evaluation.metrics.entries import check_answers, counted, missing, per_cent
from train.evaluation.metrics.naming import Classified, classified

UNIT, PROBABILITY = "unit scores", "scores: probability of the answer's tokens"


def classification(answers: Sequence[Answer]) -> list[Figure]:
    """Return accuracy and mAP, each over all and by size, and the number of unusable answers.

    Raises:
        InputFileError: there is nothing to score, an entry is asked twice or has no reference, or
            only some of the answers have a score.
    """
    check_answers(answers, "classification")
    regions = classified(answers)
    outside = sum(each.outside for each in regions)
    large = any(not answer.choices for answer in answers)
    return [
        *scores(regions),
        *counted("outside the names", outside, len(regions), _NAMES if large else ""),
        *missing(answers),
    ]


def scores(regions: Sequence[Classified], note: str = "") -> list[Figure]:
    """Return accuracy and mAP, each over all regions and by size.

    Args:
        regions: in the order in which equal scores count.
        note: what one must know of the answers' names.
    """
    stated = sum(each.region.area is None for each in regions)
    area = f"area of the box for {stated} regions without the owner's" if stated else ""
    figures = _accuracy(regions, (note, area))
    figures += _precision(regions, [1.0] * len(regions), (UNIT, note, area))
    if (probabilities := _probabilities(regions)) is not None:
        figures += _precision(regions, probabilities, (PROBABILITY, note, area))
    return figures


_NAMES = "names: the references of all entries"


def _accuracy(regions: Sequence[Classified], notes: Sequence[str]) -> list[Figure]:
    figures = []
    for size in SIZES:
        some = [each for each in regions if _has_size(each, size)]
        right = sum(each.name == each.truth for each in some)
        if some:
            figures.append(
                Figure(
                    name=f"accuracy {size}".strip(),
                    value=per_cent(right, len(some)),
                    count=len(some),
                    note=_joined(notes, size),
                )
            )
    return figures


def _precision(
    regions: Sequence[Classified], probabilities: Sequence[float], notes: Sequence[str]
) -> list[Figure]:
    images: dict[tuple[str, str, str], int] = {}
    detections = []
    for each, score in zip(regions, probabilities, strict=True):
        answer = each.answer
        detections.append(
            Detection(
                image=images.setdefault((answer.source, answer.split, answer.group), len(images)),
                box=each.region.bbox,
                area=each.area,
                truth=each.truth,
                detected=each.name,
                score=score,
            )
        )
    return [
        Figure(
            name=f"AP {size}" if size else "mAP",
            value=value,
            count=sum(_has_size(each, size) for each in regions),
            note=_joined(notes, size),
        )
        for size, value in average_precision(detections).items()
    ]


def _probabilities(regions: Sequence[Classified]) -> list[float] | None:
    """Return the regions' scores; None where no answer that names a category has one.

    Raises:
        InputFileError: some have a score, others have none.
    """
    named = [each.answer.score for each in regions if each.name is not None]
    without = sum(score is None for score in named)
    if without == len(named):
        return None
    if without:
        raise InputFileError(
            f"classification: {without} of {len(named)} answers have no score, which mAP ranks "
            "them by: expected a score in all predictions, or in none"
        )
    return [each.answer.score or 0.0 for each in regions]


def _has_size(region: Classified, size: str) -> bool:
    low, high = SIZES[size]
    return not size or low <= region.area <= high


def _joined(notes: Sequence[str], size: str) -> str:
    """Return the notes of a figure; areas matter only to the figure of a size."""
    *others, area = notes
    return "; ".join(filter(None, [*others, area if size else ""]))

"""DLC-Bench: detailed captions of regions, scored by a judge's choices among rated statements.

Pos rates what a caption says of what is there, Neg what it makes up. Each is a mean over items of
the mean over an item's questions, -1 to 1 in per cent; Avg is the mean of both. An item whose
object the judge does not recognise in the caption wins no points: each question counts as the
lesser of 0 and its points. A recognition that could not be read counts as not recognised.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

from schemas.errors import InputFileError
from schemas.judged import Outcome, Verdict
from train.evaluation.figure import Figure

_FAULTS: Mapping[Outcome, str] = {
    "missing": "no caption: nothing was asked, no points",
    "refused": "questions that the judge's server refused, no points",
    "unparsed": "replies in which no option was read, no points",
}


def dlc(verdicts: Sequence[Verdict]) -> list[Figure]:
    """Return Pos, Neg, Avg, and what one must know to read them, from all verdicts of a run.

    >>> [(figure.name, figure.value) for figure in dlc(verdicts)]  # doctest: +SKIP
    [('Pos', 51.0), ('Neg', 83.0), ('Avg', 67.0), ('not recognised', 8.0)]

    Raises:
        InputFileError: there is no verdict, an item has no recognition question or several, or no
            item has a positive or a negative question.
    """
    if not verdicts:
        raise InputFileError("no verdicts to score, expected those of a judged file")
    recognised = _recognised(verdicts)
    pos, items_pos = _mean_of_means(verdicts, "positive", recognised)
    neg, items_neg = _mean_of_means(verdicts, "negative", recognised)
    failures = sum(not value for value in recognised.values())
    return [
        Figure(name="Pos", value=100 * pos, count=items_pos),
        Figure(name="Neg", value=100 * neg, count=items_neg, note="a caption wins it by silence"),
        Figure(name="Avg", value=50 * (pos + neg), count=len(recognised)),
        Figure(
            name="not recognised",
            value=failures,
            count=len(recognised),
            note="captions of another object, by the judge",
        ),
        *caption_words(verdicts),
        *faults(verdicts),
    ]


def caption_words(verdicts: Iterable[Verdict]) -> list[Figure]:
    """Return the mean number of words of the judged answers; empty where no verdict states it."""
    words = {verdict.item: verdict.words for verdict in verdicts if verdict.words is not None}
    if not words:
        return []
    return [Figure(name="words per caption", value=fmean(words.values()), count=len(words))]


def faults(verdicts: Sequence[Verdict], group: str = "") -> list[Figure]:
    """Return how many questions brought no option, by reason; without those that did not occur."""
    counts = {fault: sum(each.outcome == fault for each in verdicts) for fault in _FAULTS}
    return [
        Figure(name=fault, value=number, count=len(verdicts), group=group, note=_FAULTS[fault])
        for fault, number in counts.items()
        if number
    ]


def _recognised(verdicts: Iterable[Verdict]) -> dict[str, bool]:
    """Return whether the judge recognised the object of each item."""
    recognised: dict[str, bool] = {}
    items = dict.fromkeys(verdict.item for verdict in verdicts)
    for verdict in verdicts:
        if verdict.kind == "recognition":
            if verdict.item in recognised:
                raise InputFileError(f"item {verdict.item!r} has two recognition questions")
            recognised[verdict.item] = verdict.points > 0
    if unasked := [item for item in items if item not in recognised]:
        raise InputFileError(
            f"{len(unasked)} of {len(items)} items have no recognition question, first "
            f"{unasked[0]!r}: are these verdicts of DLC-Bench, and all of them?"
        )
    return recognised


def _mean_of_means(
    verdicts: Iterable[Verdict], kind: str, recognised: Mapping[str, bool]
) -> tuple[float, int]:
    """Return the mean over items of the mean of an item's points, and the number of items."""
    points: defaultdict[str, list[float]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.kind == kind:
            gated = verdict.points if recognised[verdict.item] else min(0.0, verdict.points)
            points[verdict.item].append(gated)
    if not points:
        raise InputFileError(f"no item has a {kind} question, expected some")
    return fmean(map(fmean, points.values())), len(points)

"""The mark of each answer, by the rule of its benchmark: right or wrong, or a score."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from schemas.choice import chosen_number
from train.evaluation.answers import Answer
from train.evaluation.metrics.captions import answer_scores
from train.evaluation.metrics.naming import classified
from train.evaluation.metrics.pope import says_yes
from train.evaluation.metrics.rec import chosen_region
from train.evaluation.metrics.vcr import is_right


class Mark(NamedTuple):
    """What an answer is worth: right or wrong, or a score from 0 to 10, or neither."""

    right: bool | None = None
    score: float | None = None


def marks(key: str, answers: Sequence[Answer]) -> list[Mark]:
    """Return the mark of each answer, in order; empty ones where only a judge can tell.

    >>> marks("pope", answers)  # doctest: +SKIP
    [Mark(right=True, score=None), Mark(right=False, score=None)]

    Args:
        key: of the benchmark, as for `published`.
        answers: all answers of the run.

    Raises:
        InputFileError: the answers are not of this benchmark.
    """
    rule = _RULES.get(key)
    return [Mark()] * len(answers) if rule is None or not answers else rule(answers)


def _names(answers: Sequence[Answer]) -> list[Mark]:
    right = {
        (each.answer.record, each.answer.turn, each.answer.position): each.name == each.truth
        for each in classified(answers)
    }
    return [Mark(right[answer.record, answer.turn, answer.position]) for answer in answers]


def _captions(answers: Sequence[Answer]) -> list[Mark]:
    return [Mark(score=score) for score in answer_scores(answers)]


def _each(is_right: Callable[[Answer], bool]) -> Callable[[Sequence[Answer]], list[Mark]]:
    return lambda answers: [Mark(is_right(answer)) for answer in answers]


def _yes_or_no(answer: Answer) -> bool:
    return answer.text is not None and says_yes(answer.text) == (answer.label == 0)


def _region(answer: Answer) -> bool:
    chosen = None if answer.text is None else chosen_region(answer.text)
    return chosen is not None and str(chosen) in map(chosen_number, answer.references)


def _letters(answers: Sequence[Answer]) -> list[Mark]:
    """Return the marks of answers with a letter; a judge scores those in words."""
    return [
        Mark((answer.text or "").lower() == answer.references[0].lower())
        if answer.choices
        else Mark()
        for answer in answers
    ]


_RULES: Mapping[str, Callable[[Sequence[Answer]], list[Mark]]] = {
    "coco": _names,
    "coco_dilated": _names,
    "coco_eroded": _names,
    "lvis": _names,
    "v3det": _names,
    "captions": _captions,
    "rec": _each(_region),
    "pope": _each(_yes_or_no),
    "vcr": _each(is_right),
    "gar": _letters,
}

"""The answers that a report's page shows: some wrong and some right ones of each part, by hash."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from schemas.ids import Hasher
from train.evaluation.answers import Answer
from train.evaluation.report.marks import Mark

MOST_PARTS = 12  # of a benchmark whose groups are its parts; else a group is a picture

_NUMBERS = {True: 4, False: 8, None: 12}  # cases of a part: right, wrong, and with a score only


@dataclass(frozen=True, kw_only=True)
class Case:
    """An answer with what was asked."""

    answer: Answer
    mark: Mark
    part: str  # of the benchmark, e.g. "popular"; empty: it has none
    question: str  # regions are numbered as in `answer.regions`


def choose_cases(
    answers: Sequence[Answer], marks: Sequence[Mark], question_of: Callable[[Answer], str]
) -> list[Case]:
    """Return the cases to show: wrong ones first, then by score, the same for any order of answers.

    >>> choose_cases(answers, marks("pope", answers), question_of)[0].mark  # doctest: +SKIP
    Mark(right=False, score=None)

    Args:
        answers: all answers of the run.
        marks: one for each answer, see `marks`.
        question_of: returns what was asked; called for the chosen answers only.
    """
    part_of = _parts(answers)
    pools: defaultdict[tuple[str, bool | None], list[tuple[int, Answer, Mark]]] = defaultdict(list)
    hasher = Hasher("report")
    for answer, mark in zip(answers, marks, strict=True):
        rank = hasher.rank(answer.record, answer.turn, answer.position)
        pools[part_of(answer), mark.right].append((rank, answer, mark))
    chosen = []
    for (part, right), pool in pools.items():
        for rank, answer, mark in sorted(pool, key=lambda entry: entry[0])[: _NUMBERS[right]]:
            case = Case(answer=answer, mark=mark, part=part, question=question_of(answer))
            score = 0.0 if mark.score is None else mark.score
            chosen.append(((bool(right), score, rank), case))
    return [case for _, case in sorted(chosen, key=lambda entry: entry[0])]


def _parts(answers: Sequence[Answer]) -> Callable[[Answer], str]:
    """Return the function from an answer to its part: its group, or its source and split."""
    if len({answer.group for answer in answers}) <= MOST_PARTS:
        return lambda answer: answer.group
    splits = {(answer.source, answer.split) for answer in answers}
    return lambda answer: f"{answer.source}/{answer.split}" if len(splits) > 1 else ""

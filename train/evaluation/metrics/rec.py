"""Choosing the region that an expression means, among numbered candidates (RefCOCOg).

An answer chooses by `Region [k]`. It is right where candidate k is among the references: those
whose box overlaps the owner's by half or more. An answer that chooses no candidate, or several, is
a miss; so is a number that no candidate has.

Where no candidate was right, the owner's box was added as one: the share of such questions is
reported, and accuracy for both groups. As questions with few candidates are easy, accuracy is also
reported by the number of candidates, each beside what a random choice reaches: the mean of right
candidates / candidates, and the mean of 1 / candidates, which is lower where several are right.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from schemas.choice import chosen_number
from schemas.errors import InputFileError
from train.evaluation.answers import Answer
from train.evaluation.figure import Figure
from train.evaluation.metrics.entries import check_answers, counted, missing, per_cent

ADDED = "ground_truth_added"  # the group of questions whose right candidate was added

_REGION = re.compile(r"\bRegion\s*\[\s*([0-9]{1,9})\s*\]", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class _Choice:
    """A question, and the candidate that was chosen."""

    split: str
    group: str
    candidates: frozenset[int]
    right: frozenset[int]
    chosen: int | None

    @property
    def chance(self) -> float:
        return len(self.right) / len(self.candidates)


def rec(answers: Sequence[Answer]) -> list[Figure]:
    """Return accuracy beside chance: over all, by split, by group, and by number of candidates.

    Raises:
        InputFileError: there is nothing to score, or an entry has no candidates or none is right.
    """
    check_answers(answers, "referring expressions")
    choices = [_choice(answer) for answer in answers]
    added = sum(choice.group == ADDED for choice in choices)
    unread = sum(choice.chosen is None for choice in choices)
    unread -= sum(answer.text is None for answer in answers)
    beyond = sum(choice.chosen not in {None, *choice.candidates} for choice in choices)
    count = len(choices)
    return [
        *_figures(choices, ""),
        Figure(name="ground truth added", value=per_cent(added, count), count=count),
        *_by(choices, lambda choice: (0, choice.split), "{1}"),
        *_by(choices, lambda choice: (0, choice.group), "{1}"),
        *_by(choices, lambda choice: (len(choice.candidates), ""), "{0} candidates"),
        *counted("no region chosen", unread, count),
        *counted("number out of range", beyond, count),
        *missing(answers),
    ]


def chosen_region(text: str) -> int | None:
    """Return the number of the region that an answer chooses; None where it is none, or several.

    >>> chosen_region("Region [2]."), chosen_region("It is region [2]"), chosen_region("2")
    (2, 2, None)
    """
    numbers = {int(number) for number in _REGION.findall(text)}
    return numbers.pop() if len(numbers) == 1 else None


def _choice(answer: Answer) -> _Choice:
    candidates, right = _numbers(answer, answer.choices), _numbers(answer, answer.references)
    if not right or not right <= candidates:
        raise InputFileError(
            f"{answer.record!r} turn {answer.turn}: expected references among its "
            f"{len(answer.choices)} candidates, found {', '.join(answer.references) or 'none'}"
        )
    return _Choice(
        split=answer.split,
        group=answer.group,
        candidates=candidates,
        right=right,
        chosen=None if answer.text is None else chosen_region(answer.text),
    )


def _numbers(answer: Answer, names: Sequence[str]) -> frozenset[int]:
    numbers = [chosen_number(name) for name in names]
    if None in numbers:
        raise InputFileError(
            f"{answer.record!r} turn {answer.turn}: expected candidates as 'Region [2].', found "
            f"{names[numbers.index(None)]!r}"
        )
    return frozenset(int(number) for number in numbers if number is not None)


def _by(
    choices: Sequence[_Choice], key: Callable[[_Choice], tuple[int, str]], name: str
) -> list[Figure]:
    parts: Mapping[tuple[int, str], list[_Choice]] = defaultdict(list)
    for choice in choices:
        parts[key(choice)].append(choice)
    return [
        figure for part in sorted(parts) for figure in _figures(parts[part], name.format(*part))
    ]


def _figures(choices: Sequence[_Choice], group: str) -> list[Figure]:
    count = len(choices)
    sums = {
        "accuracy": (sum(choice.chosen in choice.right for choice in choices), ""),
        "chance": (fsum(choice.chance for choice in choices), "right candidates / candidates"),
        "1 / candidates": (
            fsum(1 / len(choice.candidates) for choice in choices),
            "chance if one candidate is right",
        ),
    }
    return [
        Figure(name=name, value=per_cent(value, count), count=count, group=group, note=note)
        for name, (value, note) in sums.items()
    ]

"""Captions of regions against the owner's sentences: CIDEr, and METEOR where it can be computed.

As in published numbers, each sentence of a region is an entry of its own, with the region's answer
as its caption and one reference. Grouped by region, an answer is one entry with all sentences as
references. The two give different numbers, so figures of the second kind bear another name. Each
split of each source is a set of its own, since CIDEr depends on the whole set.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from schemas.errors import InputFileError
from train.evaluation.answers import Answer
from train.evaluation.figure import Figure
from train.evaluation.metrics.cider import cider
from train.evaluation.metrics.entries import check_answers, missing
from train.evaluation.metrics.meteor import Meteor
from train.evaluation.metrics.tokens import tokens

Tokens = Sequence[str]
_Key = tuple[str, int, int]  # record, turn, position
MeteorScorer = Callable[[Sequence[Tokens], Sequence[Sequence[Tokens]]], Meteor]

GROUPED = ", sentences grouped by region"


class _Entries(NamedTuple):
    """The captions of a set and, for each, its references, as tokens."""

    captions: list[list[str]]
    references: list[list[list[str]]]


def captions(
    answers: Sequence[Answer], *, grouped: bool = False, scorer: MeteorScorer | None = None
) -> list[Figure]:
    """Return CIDEr, and METEOR where a scorer is given, of each split of each source.

    >>> captions(answers)  # doctest: +SKIP
    [Figure(name='CIDEr', value=109.9, count=4896, group='refcocog/val', note='one reference each')]

    Args:
        answers: an answer for each region, with the owner's sentences as references.
        grouped: take a region's sentences together as the references of one entry.
        scorer: `train.evaluation.metrics.meteor.meteor`, where `meteor_absence()` is empty.

    Raises:
        InputFileError: there is no answer, one occurs twice, or one has no reference.
    """
    figures = []
    suffix, note = (GROUPED, "") if grouped else ("", "one reference each")
    for group, members in _by_group(answers).items():
        entries = _entries(members, grouped=grouped)
        count = len(entries.captions)
        scores = cider(*entries)
        values = {"CIDEr": math.fsum(scores) / count}
        if scorer is not None:
            values["METEOR"] = scorer(*entries).total
        figures += [
            Figure(name=name + suffix, value=100 * value, count=count, group=group, note=note)
            for name, value in values.items()
        ]
    return figures + missing(answers)


def answer_scores(answers: Sequence[Answer]) -> list[float]:
    """Return the CIDEr of each answer, from 0 to 10: the mean over its sentences, one by one.

    >>> answer_scores(answers)  # doctest: +SKIP
    [1.62, 0.0]

    Raises:
        InputFileError: as in `captions`.
    """
    scores: dict[_Key, float] = {}
    for members in _by_group(answers).values():
        entry_scores = iter(cider(*_entries(members, grouped=False)))
        for answer in members:
            values = [next(entry_scores) for _ in answer.references]
            scores[_key(answer)] = math.fsum(values) / len(values)
    return [scores[_key(answer)] for answer in answers]


def _by_group(answers: Sequence[Answer]) -> dict[str, list[Answer]]:
    """Return the answers by source and split, after checking that they can be scored."""
    check_answers(answers, "region captions")
    groups: defaultdict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        if not answer.references:
            raise InputFileError(f"{answer.record!r} has no reference, expected a sentence")
        groups[f"{answer.source}/{answer.split}"].append(answer)
    return dict(sorted(groups.items()))


def _entries(answers: Sequence[Answer], *, grouped: bool) -> _Entries:
    entries = _Entries([], [])
    for answer in answers:
        caption = tokens(answer.text or "")
        right = [tokens(sentence) for sentence in answer.references]
        parts = [right] if grouped else [[sentence] for sentence in right]
        entries.captions.extend(caption for _ in parts)
        entries.references.extend(parts)
    return entries


def _key(answer: Answer) -> _Key:
    return answer.record, answer.turn, answer.position

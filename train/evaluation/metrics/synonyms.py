"""Classification with synonyms: an answer outside the names counts as the name nearest to it.

A model that follows the prompt loosely answers "aircraft" for "airplane", which the exact match
takes for wrong (RegionGPT, supplement D). Here a text encoder finds the name whose vector has the
largest cosine with the answer's; of equal ones, the first in the label set. These figures
stand beside those of the exact match, never in their place: a wrong answer outside the names can
become right, and an answer that means nothing still becomes a name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from schemas.errors import InputFileError
from train.evaluation.answers import Answer
from train.evaluation.figure import Figure
from train.evaluation.metrics.classification import scores
from train.evaluation.metrics.entries import check_answers, counted
from train.evaluation.metrics.naming import Classified, classified

if TYPE_CHECKING:  # it needs torch
    from train.evaluation.metrics.encoder import Encoder


def synonyms(answers: Sequence[Answer], encoder: "Encoder") -> list[Figure]:
    """Return accuracy and mAP with the nearest name for answers outside the names.

    Raises:
        InputFileError: as in `classification`.
    """
    check_answers(answers, "synonyms")
    regions = classified(answers)
    outside = [each for each in regions if each.outside]
    note = f"outside the names: the nearest name by {encoder.name}"
    names = _label_set(regions)
    nearest = _nearest(sorted({each.answer.text or "" for each in outside}), names, encoder)
    named = [
        replace(each, name=nearest[each.answer.text or ""]) if each.outside else each
        for each in regions
    ]
    return [
        *scores(named, note),
        *counted("taken as the nearest name", len(outside), len(regions), encoder.name),
    ]


def _label_set(regions: Sequence[Classified]) -> list[str]:
    """Return the names of all regions, which are of one label set.

    Raises:
        InputFileError: entries have different choices.
    """
    choices = {each.answer.choices for each in regions}
    if len(choices) > 1:
        raise InputFileError(
            f"synonyms: the entries have {len(choices)} label sets, expected one: score the builds "
            "one by one"
        )
    (names,) = choices
    return list(names) or sorted({each.truth for each in regions})


def _nearest(texts: Sequence[str], names: Sequence[str], encoder: "Encoder") -> Mapping[str, str]:
    """Return the nearest name to each text."""
    if not texts:
        return {}
    cosines = encoder.encode(texts) @ encoder.encode(names).T
    return {text: names[int(row.argmax())] for text, row in zip(texts, cosines, strict=True)}

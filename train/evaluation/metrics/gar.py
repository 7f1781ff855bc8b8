"""GAR-Bench: multiple-choice questions about regions, and captions of relations, which are judged.

Questions: right is an answer that, whole and whatever its case, equals the right letter. A second
column reads the letter leniently, where the answer says more than that. Captions: the share of
those that the judge calls true.
"""

import re
from collections import defaultdict
from collections.abc import Sequence

from schemas.errors import InputFileError
from schemas.judged import Verdict
from train.evaluation.answers import Answer
from train.evaluation.figure import Figure
from train.evaluation.metrics.dlc import faults

_LEAD = r"(?:(?:the )?(?:correct |right |best )?(?:answer|option|choice)(?: is)?[\s:]*)?"
# "A", "(A)", "A.", "A. Red", "Answer: A", "The answer is A."; never the article of "A red cup".
_LETTER = re.compile(rf"\W*{_LEAD}[\W_]*([a-z])(?:\W*$|[.):,]|\s*\n)", re.IGNORECASE)

_CAPTIONS = {"simple": "Simple", "detailed": "Detailed"}  # the benchmark's names by kind


def gar_vqa(answers: Sequence[Answer]) -> list[Figure]:
    """Return the accuracy of answers with a letter, in per cent, pooled and by type of question.

    >>> [(figure.name, figure.value) for figure in gar_vqa(answers)][:2]  # doctest: +SKIP
    [('accuracy', 47.9), ('accuracy, lenient', 48.1)]

    Args:
        answers: the type of a question is its group, and its first reference the right letter.

    Raises:
        InputFileError: there is no answer, or a first reference is no letter.
    """
    if not answers:
        raise InputFileError("no answers to score, expected those to questions with a letter")
    if strange := [each for each in answers if not re.fullmatch("[A-Za-z]", _right(each))]:
        raise InputFileError(
            f"record {strange[0].record!r}: the right answer is {strange[0].references}, expected "
            "one letter"
        )
    by_type: defaultdict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        by_type[answer.group].append(answer)
    by_type[""] = list(answers)
    figures = []
    for group, members in sorted(by_type.items()):
        strict = sum((each.text or "").lower() == _right(each).lower() for each in members)
        lenient = sum(read_letter(each.text or "") == _right(each).upper() for each in members)
        shares = (100 * right / len(members) for right in (strict, lenient))
        notes = ("the whole answer is the letter", "a letter is read in the answer")
        names = ("accuracy", "accuracy, lenient")
        figures += [
            Figure(name=name, value=value, count=len(members), group=group, note=note)
            for name, value, note in zip(names, shares, notes, strict=True)
        ]
    if missing := sum(each.text is None for each in answers):
        figures.append(Figure(name="missing", value=missing, count=len(answers)))
    return figures


def read_letter(text: str) -> str | None:
    """Return the letter that an answer names, in upper case; None: it names none.

    >>> [read_letter(text) for text in ("b", "(B) Red.", "The answer is B.", "A red cup")]
    ['B', 'B', 'B', None]
    """
    match = _LETTER.match(text.strip())
    return match[1].upper() if match else None


def gar_captions(verdicts: Sequence[Verdict]) -> list[Figure]:
    """Return the share of captions that the judge calls true, in per cent, for each kind there.

    >>> [(figure.name, figure.value) for figure in gar_captions(verdicts)]  # doctest: +SKIP
    [('Simple', 55.7), ('Detailed', 66.4)]

    Raises:
        InputFileError: there is no verdict, or one is of another benchmark.
    """
    if not verdicts:
        raise InputFileError("no verdicts to score, expected those of a judged file")
    if strange := [each for each in verdicts if each.kind not in _CAPTIONS]:
        raise InputFileError(
            f"item {strange[0].item!r}: a verdict of kind {strange[0].kind!r}, expected one of "
            f"{', '.join(_CAPTIONS)}"
        )
    figures = []
    for kind, name in _CAPTIONS.items():
        members = [verdict for verdict in verdicts if verdict.kind == kind]
        if members:
            share = sum(verdict.points > 0 for verdict in members) / len(members)
            figures.append(Figure(name=name, value=100 * share, count=len(members)))
            figures += faults(members, group=name)
    return figures


def _right(answer: Answer) -> str:
    """Return the right letter: builds add the option in full behind it."""
    return answer.references[0] if answer.references else ""

"""What metrics have in common: the check of the answers, and the count of the missing ones."""

from collections import Counter
from collections.abc import Sequence

from schemas.errors import InputFileError
from train.evaluation.answers import Answer
from train.evaluation.figure import Figure


def check_answers(answers: Sequence[Answer], metric: str) -> None:
    """Check that there is something to score, and that nothing is scored twice.

    Args:
        answers: the answers to all entries.
        metric: the metric's name, for the message.

    Raises:
        InputFileError: there are no answers, or two answer the same entry.
    """
    if not answers:
        raise InputFileError(f"{metric}: there is no entry to score: the build asks nothing")
    counts = Counter((answer.record, answer.turn, answer.position) for answer in answers)
    ((key, most),) = counts.most_common(1)
    if most > 1:
        record, turn, position = key
        raise InputFileError(
            f"{metric}: {record!r} turn {turn} position {position} is scored {most} times, "
            "expected once"
        )


def missing(answers: Sequence[Answer]) -> list[Figure]:
    """Return the number of entries without a prediction as a figure; none where there are none."""
    return counted("missing", sum(answer.text is None for answer in answers), len(answers))


def counted(name: str, number: int, count: int, note: str = "") -> list[Figure]:
    """Return a number of entries as a figure; none where it is 0.

    >>> counted("missing", 2, 10)
    [Figure(name='missing', value=2.0, count=10, group='', note='entries')]
    """
    note = f"entries; {note}" if note else "entries"
    return [Figure(name=name, value=float(number), count=count, note=note)] if number else []


def per_cent(part: float, count: int) -> float:
    """Return a part of a number in per cent; 0 of 0 is 0.

    >>> per_cent(1, 4)
    25.0
    """
    return 100 * part / count if count else 0.0

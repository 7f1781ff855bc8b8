"""The share of exact answers by the size and by the shape of the region that is asked about."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from train.learns.answers import Question

_RADII = (5, 7, 9, 12, 16)  # the limits between sizes, pixels of the picture that the model sees


class Share(NamedTuple):
    """A share of questions that were answered exactly, and their number."""

    exact: float
    questions: int


def exact_by_radius(
    answers: Sequence[str], questions: Sequence[Question], image_size: int
) -> dict[str, Share]:
    """Return the share of exact answers by a region's radius: a quarter of its two sides' sum.

    Args:
        answers: one to each question.
        questions: about one region each.
        image_size: the side of the square that a picture's longer side is resized to, pixels.
    """
    return _shares([_radius_class(each, image_size) for each in questions], answers, questions)


def exact_by_shape(answers: Sequence[str], questions: Sequence[Question]) -> dict[str, Share]:
    """Return the share of exact answers by the shape, the last word of the right one."""
    return _shares(
        [each.reference.rstrip(".").split()[-1] for each in questions], answers, questions
    )


def table(shares: dict[str, Share]) -> str:
    """Return lines of text, the least share first."""
    rows = sorted(shares.items(), key=lambda row: row[1])
    return "\n".join(f"{name:>16}  {part.exact:.3f} of {part.questions:,}" for name, part in rows)


def _radius_class(question: Question, image_size: int) -> str:
    x0, y0, x1, y1 = question.asked
    radius = (x1 - x0 + y1 - y0) / 4 * image_size / question.longest_side
    position = bisect_right(_RADII, radius)
    if position == 0:
        return f"below {_RADII[0]} px"
    if position == len(_RADII):
        return f"{_RADII[-1]} px and more"
    return f"{_RADII[position - 1]} to {_RADII[position]} px"


def _shares(
    kinds: Sequence[str], answers: Sequence[str], questions: Sequence[Question]
) -> dict[str, Share]:
    right = defaultdict[str, list[bool]](list)
    for kind, answer, question in zip(kinds, answers, questions, strict=True):
        right[kind].append(answer == question.reference)
    return {kind: Share(sum(some) / len(some), len(some)) for kind, some in right.items()}

"""Yes-or-no questions about objects in the picture (POPE): for each split, and over all.

An answer is read as POPE's script reads it: what stands before the first full stop, without commas,
split at single blanks; it is "no" if one of the words is "No", "no" or "not", else "yes". So
"No, there is not." is no, but "NO", "None" and an empty answer are yes. "Yes" is the positive side
of precision and recall. A missing answer counts as the wrong one, so that it adds to the answers
yes where the right one is no. A share of nothing (precision without a yes) is 0.

Where predictions hold the likelihoods of "yes" and "no" (`choice_loglik`), the share of answers
whose likelier choice is right stands beside these figures: no wording of an answer changes it.
"""

from collections import defaultdict
from collections.abc import Sequence

from schemas.errors import InputFileError
from train.evaluation.answers import Answer
from train.evaluation.figure import Figure
from train.evaluation.metrics.entries import check_answers, missing, per_cent

_CHOICES = ("yes", "no")
_NO = {"No", "no", "not"}


def pope(answers: Sequence[Answer]) -> list[Figure]:
    """Return accuracy, precision, recall, F1 and yes-ratio: over all, and by the group's name.

    With likelihoods also the accuracy by them, over all.

    Raises:
        InputFileError: there is nothing to score, or an entry is no yes-or-no question.
    """
    check_answers(answers, "yes-or-no questions")
    groups: defaultdict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for answer in answers:
        groups[answer.group].append(_sides(answer))
    every = [side for group in groups.values() for side in group]
    figures = _figures(every, "")
    for group in sorted(groups):
        figures += _figures(groups[group], group)
    return figures + _by_likelihood(answers) + missing(answers)


def says_yes(text: str) -> bool:
    """Return whether an answer is read as yes.

    >>> says_yes("There is no dog."), says_yes("Yes. There is no doubt.")
    (False, True)
    """
    return not _NO.intersection(text.partition(".")[0].replace(",", "").split(" "))


def _sides(answer: Answer) -> tuple[bool, bool]:
    """Return whether the right answer is yes, and whether the given one is."""
    if answer.choices != _CHOICES or answer.label not in {0, 1}:
        raise InputFileError(
            f"{answer.record!r} turn {answer.turn}: expected the choices yes and no and the right "
            f"one, found {answer.choices} and {answer.label}"
        )
    right = answer.label == 0
    return right, not right if answer.text is None else says_yes(answer.text)


def _by_likelihood(answers: Sequence[Answer]) -> list[Figure]:
    """Return the share of answers whose likelier choice is right; none without likelihoods."""
    if all(answer.choice_loglik is None for answer in answers):
        return []
    return [
        Figure(
            name="accuracy by likelihood",
            value=per_cent(sum(map(_likelier_is_right, answers)), len(answers)),
            count=len(answers),
        )
    ]


def _likelier_is_right(answer: Answer) -> bool:
    """Return whether the right choice is likelier than the other one; equal ones are not."""
    if answer.choice_loglik is None:
        return False
    yes, no = answer.choice_loglik
    return yes > no if answer.label == 0 else no > yes


def _figures(sides: Sequence[tuple[bool, bool]], group: str) -> list[Figure]:
    count = len(sides)
    hits = sum(right and given for right, given in sides)
    truths = sum(right for right, _ in sides)
    yes = sum(given for _, given in sides)
    values = {
        "accuracy": per_cent(sum(right == given for right, given in sides), count),
        "precision": per_cent(hits, yes),
        "recall": per_cent(hits, truths),
        "F1": per_cent(2 * hits, yes + truths),  # the harmonic mean of both
        "yes-ratio": per_cent(yes, count),
    }
    return [
        Figure(name=name, value=value, count=count, group=group) for name, value in values.items()
    ]

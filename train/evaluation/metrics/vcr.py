"""Choosing an answer and its reason (VCR), by the likelihood of the choices.

The choice with the largest mean log-likelihood per token is taken; of equal ones, the first. Every
question has two entries, joined by its group: the answer (Q->A), and the reason given the right
answer (QA->R). Q->AR needs both right. All three are over all questions: a half that is missing,
in the build or in the predictions, is wrong.
"""

from collections import Counter
from collections.abc import Sequence

from schemas.errors import InputFileError
from train.evaluation.answers import Answer
from train.evaluation.figure import Figure
from train.evaluation.metrics.entries import check_answers, counted, per_cent

_ANSWER, _REASON = "answer", "rationale"  # how the ids of the two entries end

_Question = tuple[str, str, str]  # source, split, group


def vcr(answers: Sequence[Answer]) -> list[Figure]:
    """Return the share of right answers, of right reasons, and of both.

    Raises:
        InputFileError: there is nothing to score; an entry has no choices or no right one, is
            neither of a question's two, or was answered without the choices' likelihoods.
    """
    check_answers(answers, "reasoning")
    halves: dict[tuple[_Question, str], bool] = {}
    for answer in answers:
        key = (answer.source, answer.split, answer.group), _half(answer)
        if key in halves:
            raise InputFileError(
                f"{answer.record!r}: question {answer.group!r} has two entries "
                f"{key[1]!r}, expected one"
            )
        halves[key] = is_right(answer)
    questions = list(dict.fromkeys(question for question, _ in halves))
    first = [halves.get((question, _ANSWER), False) for question in questions]
    second = [halves.get((question, _REASON), False) for question in questions]
    count = len(questions)
    both = sum(map(min, first, second))
    without = sum(answer.choice_loglik is None for answer in answers)
    sizes = Counter(len(answer.choices) for answer in answers)
    note = f"likelihood of {', '.join(map(str, sorted(sizes)))} choices"
    return [
        Figure(name="Q->A", value=per_cent(sum(first), count), count=count, note=note),
        Figure(name="QA->R", value=per_cent(sum(second), count), count=count, note=note),
        Figure(name="Q->AR", value=per_cent(both, count), count=count, note=note),
        *counted("questions with one half only", 2 * count - len(halves), count),
        *counted("missing", without, len(answers)),
    ]


def _half(answer: Answer) -> str:
    half = answer.item_id.rpartition("/")[2]
    if half not in {_ANSWER, _REASON}:
        raise InputFileError(
            f"{answer.record!r}: expected an entry that ends in /{_ANSWER} or /{_REASON}, found "
            f"{answer.item_id!r}"
        )
    return half


def is_right(answer: Answer) -> bool:
    """Return whether the right choice is the likeliest; False without a prediction.

    Raises:
        InputFileError: the entry has no right choice, or its prediction no fitting likelihoods.
    """
    label, likelihoods = answer.label, answer.choice_loglik
    if label is None or not 0 <= label < len(answer.choices):
        raise InputFileError(
            f"{answer.record!r}: expected the number of one of {len(answer.choices)} choices, "
            f"found {label}"
        )
    if likelihoods is None:
        if answer.text is not None:
            raise InputFileError(
                f"{answer.record!r}: the prediction has no choice_loglik, by which reasoning is "
                "scored: expected a number for each choice"
            )
        return False
    if len(likelihoods) != len(answer.choices):
        raise InputFileError(
            f"{answer.record!r}: {len(likelihoods)} likelihoods for {len(answer.choices)} choices"
        )
    return likelihoods.index(max(likelihoods)) == label

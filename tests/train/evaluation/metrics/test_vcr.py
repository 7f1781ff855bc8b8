"""Answers and reasons by likelihood: numbers by hand, ties, halves that are missing, odd input."""

from dataclasses import replace

import pytest

from schemas.errors import InputFileError
from schemas.item import Choices, Question
from schemas.sample import Region, ScreenedImage, Task
from tests.train.evaluation.metrics.making import built, make_answer, values
from train.evaluation.answers import Answer
from train.evaluation.metrics.vcr import vcr

FOUR = ("a", "b", "c", "d")


def half(number: int, question: str, name: str, chosen: int | None, **fields) -> Answer:
    """A half of a question whose right choice is the third; `chosen` is the likeliest."""
    likelihoods = None if chosen is None else tuple(-float(k != chosen) - 0.5 for k in range(4))
    usual = {
        "item_id": f"{question}/{name}",
        "group": question,
        "choices": FOUR,
        "label": 2,
        "text": None if chosen is None else FOUR[chosen],
        "choice_loglik": likelihoods,
    }
    return make_answer(number, **(usual | fields))


def questions(*chosen: tuple[int | None, int | None]) -> list[Answer]:
    """Whole questions, by the choices of their answer and of their reason."""
    return [
        half(2 * number + k, f"q{number}", ("answer", "rationale")[k], pair[k])
        for number, pair in enumerate(chosen)
        for k in (0, 1)
    ]


def three(answers: list[Answer]) -> list[float]:
    by_name = values(vcr(answers))
    return [by_name[name] for name in ("Q->A", "QA->R", "Q->AR")]


def test_numbers_by_hand():
    """Right: answer of three, reason of two, both of one, of five questions."""
    answers = questions((2, 2), (2, 0), (2, 1), (3, 2), (0, 0))
    assert three(answers) == [60, 40, 20]
    assert three(answers[::-1]) == [60, 40, 20]
    assert [figure.count for figure in vcr(answers)] == [5, 5, 5]
    assert {figure.note for figure in vcr(answers)} == {"likelihood of 4 choices"}


def test_all_right_is_100_and_all_wrong_is_0():
    assert three(questions(*[(2, 2)] * 3)) == [100, 100, 100]
    assert three(questions(*[(1, 3)] * 3)) == [0, 0, 0]


def test_of_equal_likelihoods_the_first_is_taken():
    first = half(0, "q", "answer", 0, choice_loglik=(-1.0, -2.0, -1.0, -3.0))
    assert three([first, half(1, "q", "rationale", 2)]) == [0, 100, 0]
    same = (-1.0, -1.0, -1.0, -1.0)
    alike = [
        half(0, "q", "answer", 0, choice_loglik=same, label=0),
        half(1, "q", "rationale", 0, choice_loglik=same, label=1),
    ]
    assert three(alike) == [100, 0, 0]


def test_the_likelihood_counts_not_the_text():
    wrong = half(0, "q", "answer", 1, text="c")
    assert three([wrong, half(1, "q", "rationale", 2, text="a")]) == [0, 100, 0]


def test_a_missing_half_is_wrong():
    answers = questions((2, 2), (2, None), (None, 2), (None, None))
    assert three(answers) == [50, 50, 25]
    assert values(vcr(answers))["missing"] == 4
    halves = [answers[0], answers[1], answers[2]]  # the second question has no reason to choose
    assert three(halves) == [100, 50, 50]
    assert values(vcr(halves))["questions with one half only"] == 1


def test_questions_of_two_splits_are_not_joined():
    first, second = questions((2, 2))
    assert three([first, replace(second, split="test")]) == [50, 50, 0]


def test_entries_as_they_are_built(make_image):
    choices = Choices((("It sits.",), ("It runs.",), ("No.",), ("Yes.",)), 1)
    reasons = Choices((("So.",), ("Hm.",), ("By it.",), ("It is wet.",)), 3)
    asked = [
        Question(name, ("Is it?",), ("It runs.",), ("It is wet.",), choices, reasons)
        for name in ("val-0", "val-1")
    ]
    boxes = (Region("0", (0, 0, 5, 5), category="dog"),)
    entries = built(ScreenedImage(make_image(), boxes, tuple(asked)), Task.REGION_REASONING)
    assert len(entries) == 4
    likelihoods = {
        "val-0/answer": (-2.0, -1.0, -3.0, -4.0),
        "val-0/rationale": (-2.0, -1.0, -3.0, -4.0),
        "val-1/answer": (-4.0, -0.1, -3.0, -4.0),
        "val-1/rationale": (-2.0, -1.0, -3.0, -0.5),
    }
    answers = [replace(each, choice_loglik=likelihoods[each.item_id], text="") for each in entries]
    assert three(answers) == [100, 50, 50]


REFUSED = {
    "there is no entry to score": [],
    "is scored 2 times": [half(0, "q", "answer", 1)] * 2,
    "question 'q' has two entries 'answer'": [half(0, "q", "answer", 1), half(1, "q", "answer", 1)],
    "found 'q/motive'": [half(0, "q", "motive", 1)],
    "of 4 choices, found None": [half(0, "q", "answer", 1, label=None)],
    "of 4 choices, found 4": [half(0, "q", "answer", 1, label=4)],
    "of 0 choices": [half(0, "q", "answer", 1, choices=())],
    "3 likelihoods for 4 choices": [half(0, "q", "answer", 1, choice_loglik=(-1.0, -1.0, -2.0))],
    "the prediction has no choice_loglik": [half(0, "q", "answer", None, text="a")],
}


@pytest.mark.parametrize(("message", "answers"), REFUSED.items(), ids=range(len(REFUSED)))
def test_what_cannot_be_scored_is_refused(message, answers):
    with pytest.raises(InputFileError, match=message):
        vcr(answers)

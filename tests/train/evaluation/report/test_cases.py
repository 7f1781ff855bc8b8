"""The marks of answers, and the choice of those to show."""

import random

import pytest

from train.evaluation.answers import Answer
from train.evaluation.report.cases import choose_cases
from train.evaluation.report.marks import Mark, marks


def test_marks_of_names(answer) -> None:
    dogs = [answer(str(n), group=str(n), text=text) for n, text in enumerate(["Dog.", "cat", None])]
    assert marks("coco", dogs) == [Mark(True), Mark(False), Mark(False)]
    assert marks("v3det", dogs[::-1]) == [Mark(False), Mark(False), Mark(True)]


@pytest.mark.parametrize(
    ("text", "label", "right"),
    [("Yes", 0, True), ("No, there is none.", 0, False), ("no", 1, True), (None, 1, False)],
)
def test_marks_of_yes_and_no(text, label, right, answer) -> None:
    asked = answer(choices=("yes", "no"), label=label, text=text)
    assert marks("pope", [asked]) == [Mark(right)]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("Region [2].", True),
        ("Region [3]", True),
        ("Region [1]", False),
        ("2", False),
        ("Region [9]", False),
        (None, False),
    ],
)
def test_marks_of_regions(text, right, answer) -> None:
    choices = tuple(f"Region [{k}]." for k in (1, 2, 3))
    asked = answer(choices=choices, references=("Region [2].", "Region [3]."), text=text)
    assert marks("rec", [asked]) == [Mark(right)]


def test_marks_of_choices_captions_and_letters(answer) -> None:
    choices = ("a", "b")
    likelier = answer(choices=choices, label=1, choice_loglik=(-2.0, -1.0))
    assert marks("vcr", [likelier]) == [Mark(True)]
    captions = [
        answer("1", references=("a red star",), text="a red star"),
        answer("2", references=("a dog",), text=None),
    ]
    (star, dog) = marks("captions", captions)
    assert star.right is None
    assert star.score == pytest.approx(7.5)  # three words: no n-gram of four
    assert dog == Mark(score=0.0)
    letters = {"choices": ("A", "B", "C"), "references": ("C", "C. red"), "label": 2}
    given = [answer("1", text="c", **letters), answer("2", text="C.", **letters), answer("3")]
    assert marks("gar", given) == [Mark(True), Mark(False), Mark()]
    assert marks("dlc", captions) == [Mark(), Mark()]
    assert marks("coco", []) == []


def asked(answer) -> str:
    return f"Which one is {answer.record}?"


def test_wrong_ones_come_first_and_the_order_of_answers_changes_nothing(answer) -> None:
    answers = [answer(str(n), group="popular" if n % 2 else "random") for n in range(60)]
    given = {each.record: Mark(int(each.record) % 3 > 0) for each in answers}
    cases = choose_cases(answers, [given[each.record] for each in answers], asked)
    rights = [case.mark.right for case in cases]
    assert rights == [False] * 16 + [True] * 8  # 8 and 4 of each part
    assert {case.part for case in cases} == {"popular", "random"}
    random.Random(1).shuffle(answers)
    assert choose_cases(answers, [given[each.record] for each in answers], asked) == cases


def test_the_choice_is_not_that_of_the_first_ones(answer) -> None:
    answers = [answer(str(n), group="all") for n in range(100)]
    cases = choose_cases(answers, [Mark(False)] * 100, asked)
    assert len(cases) == 8
    assert max(int(case.answer.record) for case in cases) > 30


def test_groups_that_are_pictures_are_no_parts(answer) -> None:
    answers = [answer(str(n), group=str(n), split="ab"[n % 2]) for n in range(40)]
    cases = choose_cases(answers, [Mark(True)] * 40, asked)
    assert {case.part for case in cases} == {"coco/a", "coco/b"}
    same = choose_cases(answers[::2], [Mark(True)] * 20, asked)
    assert {case.part for case in same} == {""}


def test_scored_ones_are_in_order_of_their_score_and_questions_are_read_for_them_alone(
    answer,
) -> None:
    seen = []

    def question_of(each: Answer) -> str:
        seen.append(each)
        return "?"

    answers = [answer(str(n), group="all") for n in range(50)]
    cases = choose_cases(answers, [Mark(score=n % 7) for n in range(50)], question_of)
    scores = [case.mark.score for case in cases]
    assert scores == sorted(scores, key=lambda score: score or 0)
    assert len(seen) == len(cases) == 12
    assert choose_cases([], [], asked) == []

"""Semantic similarity and overlap of words: numbers by hand, colons, traps, odd input."""

import pytest

from schemas.errors import InputFileError
from tests.train.evaluation.metrics.making import WordVectors, make_answer, values
from train.evaluation.answers import Answer
from train.evaluation.metrics.semantic import semantic

VECTORS = WordVectors(
    **{"a bat": (1, 0), "bat (animal)": (3, 4), "leg": (0, 1), "nothing": (-1, 0)}
)


def asked(number: int, truth: str, text: str | None, **fields) -> Answer:
    return make_answer(number, references=(truth,), text=text, **fields)


def overlap(truth: str, text: str, **options) -> float:
    return values(semantic([asked(0, truth, text)], **options))["S-IoU"] / 100


@pytest.mark.parametrize(
    ("truth", "text", "expected"),
    [
        ("bat_(animal)", "A bat.", 1 / 3),
        ("chair:leg", "chair leg", 1),
        ("chair:leg", "chair:leg", 1 / 2),
        ("chair:leg", "Legs of a chair", 1 / 5),
        ("T-shirt", "t-shirt", 1),
        ("cow", "cow cow, cow.", 1),
        ("cow", "COW", 1),
        ("cow", "cows", 0),
        ("red cow", "The object: red cow: it eats.", 1),
        ("cow", "cow:", 0),  # nothing stands between the first and a second colon
        ("cow", ":cow", 1),
        ("cow", "", 0),
        ("cow", " . , ", 0),
    ],
)
def test_words_that_both_have(truth, text, expected):
    assert overlap(truth, text) == pytest.approx(expected)


def test_the_other_colon_rule_takes_a_colon_for_a_blank():
    assert overlap("chair:leg", "chair:leg", colon="blank") == 1
    assert overlap("red cow", "The object: red cow", colon="blank") == pytest.approx(1 / 2)
    (figure,) = semantic([asked(0, "cow", "cow")], colon="blank")
    assert figure.note == "colon rule: blank"


def test_no_words_at_all_share_none():
    assert overlap("_", "") == 0


def test_the_mean_is_over_objects():
    answers = [asked(0, "bat_(animal)", "A bat."), asked(1, "chair:leg", "chair leg")]
    answers.append(asked(2, "cow", "pig"))
    (figure,) = semantic(answers)
    assert (figure.name, figure.count, figure.group) == ("S-IoU", 3, "")
    assert figure.value == pytest.approx(100 * (1 / 3 + 1) / 3)


def test_cosines_of_the_encoder():
    texts = ["a bat.", "bat (animal)", "leg", ""]
    cosines = [0.6, 1, 0.8, -0.6]  # of these and (3, 4) / 5
    for text, cosine in zip(texts, cosines, strict=True):
        figures = semantic([asked(0, "bat_(animal)", text)], VECTORS)
        assert [figure.name for figure in figures] == ["SS", "S-IoU"]
        assert figures[0].value == pytest.approx(100 * cosine)
        assert figures[0].note == "colon rule: osprey; word vectors"
    answers = [asked(k, "bat_(animal)", text) for k, text in enumerate(texts)]
    assert values(semantic(answers, VECTORS))["SS"] == pytest.approx(100 * sum(cosines) / 4)
    assert semantic(answers, VECTORS) == semantic(answers[::-1], VECTORS)


def test_a_missing_answer_is_0_in_both_and_counted():
    figures = semantic([asked(0, "leg", "leg"), asked(1, "leg", None)], VECTORS)
    assert values(figures) == {"SS": pytest.approx(50), "S-IoU": 50, "missing": 1}
    assert values(semantic([asked(0, "leg", None)], VECTORS)) == {"SS": 0, "S-IoU": 0, "missing": 1}


def test_perfect_answers_are_100():
    answers = [asked(0, "leg", "leg"), asked(1, "bat_(animal)", "bat (animal)")]
    assert values(semantic(answers, VECTORS)) == {"SS": pytest.approx(100), "S-IoU": 100}


REFUSED = {
    "there is no entry to score": [],
    "is scored 2 times": [asked(0, "leg", "leg")] * 2,
    "has no reference": [make_answer(0, text="leg")],
}


@pytest.mark.parametrize(("message", "answers"), REFUSED.items(), ids=range(len(REFUSED)))
def test_what_cannot_be_scored_is_refused(message, answers):
    with pytest.raises(InputFileError, match=message):
        semantic(answers)

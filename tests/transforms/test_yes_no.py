"""Answers by yes or no: read strictly, and weighed by the log-probabilities of their tokens."""

import doctest
import math

import pytest

from transforms import yes_no
from transforms.yes_no import Token, read_yes_no, yes_probability


def test_the_examples_hold() -> None:
    assert doctest.testmod(yes_no).failed == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("yes", True),
        ("Yes.", True),
        ("**Yes**", True),
        (" NO\n", False),
        ("No, the mug is red.", False),
        ("<think>Is it? No, yes.</think>\n\nno", False),
        ("<think>Is it? Yes", None),
        ("Yes it is", None),
        ("No doubt", None),
        ("not sure", None),
        ("It is. Yes", None),
        ("yes/no", None),
        ("", None),
    ],
)
def test_only_a_plain_yes_or_no_is_read(text, said) -> None:
    assert read_yes_no(text) is said


def token(text: str, p: float, **others: float) -> Token:
    return Token(text, math.log(p), {each: math.log(q) for each, q in others.items()})


@pytest.mark.parametrize(
    ("tokens", "probability"),
    [
        ([token("Yes", 0.6, Yes=0.6, No=0.2)], 0.75),
        ([token("No", 0.6, No=0.6, Yes=0.15, yes=0.05)], 0.25),
        ([token("\n", 0.9, x=0.9), token("Yes", 0.5, Yes=0.5, No=0.5)], 0.5),
        ([token("no", 0.9)], 0.1),
        ([token("Yes", 0.9, Yes=0.9, Red=0.1)], 1.0),
        ([token("yes", 1.0), token("</think>", 1.0), token("no", 1.0, no=1.0)], 0.0),
        ([token("Perhaps", 1.0, Yes=0.5)], None),
        ([], None),
    ],
)
def test_yes_is_weighed_against_no_at_the_token_that_decides(tokens, probability) -> None:
    assert yes_probability(tokens) == (None if probability is None else pytest.approx(probability))

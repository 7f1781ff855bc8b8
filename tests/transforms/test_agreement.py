"""Captions of the same thing agree by the words and pairs of words that they share."""

import doctest

import pytest

from transforms import agreement as module
from transforms.agreement import agreement


def test_the_examples_hold() -> None:
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("texts", "best"),
    [
        (["A red mug with a handle.", "A blue bowl.", "The red mug has a handle."], 0),
        (["A blue bowl.", "A red mug with a chip.", "A red mug with a handle and a chip."], 1),
        (["A mug.", "A mug.", "A mug."], 0),
    ],
)
def test_the_odd_one_agrees_least(texts, best) -> None:
    values = agreement(texts)
    assert values.index(max(values)) == best


def test_order_counts_by_pairs_and_function_words_for_nothing() -> None:
    assert agreement(["a red mug", "the red mug"]) == [1.0, 1.0]
    assert agreement(["dog bites man", "man bites dog"]) == [0.6, 0.6]
    assert agreement(["of the", "in a"]) == [1.0, 1.0]

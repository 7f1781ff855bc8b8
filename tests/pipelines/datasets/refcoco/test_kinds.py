"""The words of expressions: relative ones, and words that may name the same thing."""

import pytest

from pipelines.datasets.refcoco.kinds import kinds_of, stem, words_of
from pipelines.datasets.refcoco.relative import is_relative


@pytest.mark.parametrize(
    "text",
    [
        "left guy",
        "right man tan pants",
        "the smaller of the pizzas",
        "second zebra from the fence",
        "the tallest giraffe there",
        "man in front of the bus",
        "number 24 in white",
        "a dog behind a chair",
        "red shirt",
        "guy with no hat",
        "the one on the couch",
        "UPPERMOST shelf of books",
        "the thing on the wall",
        "a partially hidden cow",
    ],
)
def test_relative(text):
    assert is_relative(text)


@pytest.mark.parametrize(
    "text",
    ["a woman with a brown dog", "man in a blue shirt", "the red double decker bus", "a black cat"],
)
def test_not_relative(text):
    assert not is_relative(text)


@pytest.mark.parametrize(
    ("singular", "plural"),
    [
        ("cat", "cats"),
        ("horse", "horses"),
        ("bus", "buses"),
        ("glass", "glasses"),
        ("knife", "knives"),
        ("cookie", "cookies"),
        ("baby", "babies"),
        ("box", "boxes"),
        ("tie", "ties"),
        ("bike", "bikes"),
        ("dish", "dishes"),
        ("zebra", "zebras"),
        ("tree", "trees"),
        ("berry", "berries"),
        ("tomato", "tomatoes"),
    ],
)
def test_singular_and_plural_have_one_stem(singular, plural):
    assert stem(singular) == stem(plural)


def test_content_words():
    assert list(words_of("The man's cats are on it")) == ["man", "cat"]


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("guy in blue", "the men"),
        ("a sofa", "couch"),
        ("she is smiling", "a lady"),
        ("a moped", "the bikes"),
        ("a suv", "red truck"),
        ("glass of wine", "the bottle"),
        ("some animal", "zebras"),
        ("striped shirt", "woman"),
    ],
)
def test_words_for_one_thing_meet(text, other):
    assert kinds_of(text) & kinds_of(other)


@pytest.mark.parametrize(
    ("text", "other"),
    [("a zebra", "the giraffe"), ("a man", "a bus"), ("pizza", "laptop"), ("cat", "dog")],
)
def test_other_things_do_not_meet(text, other):
    assert kinds_of(text)
    assert not kinds_of(text) & kinds_of(other)


def test_some_expressions_name_no_kind():
    assert not kinds_of("the striped black and white")

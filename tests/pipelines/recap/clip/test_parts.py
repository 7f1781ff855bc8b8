"""Captions cut into sentences, nothing lost, nothing too long."""

from hypothesis import given
from hypothesis import strategies as st

from pipelines.recap.clip.parts import parts


def at_most(words: int):
    return lambda text: len(text.split()) <= words


def test_each_sentence_is_a_part_though_all_would_fit():
    text = "A dog.  It runs.\nIt barks."
    assert parts(text, at_most(6)) == ["A dog.", "It runs.", "It barks."]


def test_a_sentence_that_is_too_long_is_cut_between_words():
    text = "Short one. This one sentence has far too many words. End."
    assert parts(text, at_most(4)) == [
        "Short one.",
        "This one sentence has",
        "far too many words.",
        "End.",
    ]


def test_a_word_that_is_too_long_is_cut_as_well():
    assert parts("ab " + "x" * 10, lambda text: len(text) <= 5) == ["ab", "xxxxx", "xxxxx"]


def test_no_words_are_one_part():
    assert parts("", at_most(1)) == [""]


@given(st.text(alphabet="ab .!?\nAB", max_size=200), st.integers(1, 5))
def test_nothing_is_lost_and_all_fit(text, most):
    cut = parts(text, at_most(most))
    assert " ".join(cut).split() == text.split()
    assert all(map(at_most(most), cut))

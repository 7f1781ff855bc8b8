"""Captions cut into windows: whole sentences, nothing lost, nothing too long."""

from hypothesis import given
from hypothesis import strategies as st

from pipelines.recap.clip.windows import windows


def at_most(words: int):
    return lambda text: len(text.split()) <= words


def test_what_fits_is_one_window_as_it_stands():
    text = "A dog.  It runs.\nIt barks."
    assert windows(text, at_most(6)) == [text]


def test_as_many_whole_sentences_as_fit():
    text = "One two. Three four. Five six seven. Eight."
    assert windows(text, at_most(4)) == ["One two. Three four.", "Five six seven. Eight."]


def test_a_sentence_that_is_too_long_is_cut_between_words():
    text = "Short one. This one sentence has far too many words. End."
    assert windows(text, at_most(4)) == [
        "Short one.",
        "This one sentence has",
        "far too many words.",
        "End.",
    ]


def test_a_word_that_is_too_long_is_cut_as_well():
    assert windows("ab " + "x" * 10, lambda text: len(text) <= 5) == ["ab", "xxxxx", "xxxxx"]


def test_no_words_are_one_window():
    assert windows("", at_most(1)) == [""]


@given(st.text(alphabet="ab .!?\nAB", max_size=200), st.integers(1, 5))
def test_nothing_is_lost_and_all_fit(text, most):
    pieces = windows(text, at_most(most))
    assert " ".join(pieces).split() == text.split()
    assert all(map(at_most(most), pieces))

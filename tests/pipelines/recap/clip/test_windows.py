"""Captions cut into windows: whole sentences, nothing lost, nothing too long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.recap.clip.windows import sentences, windows


def at_most(words: int):
    return lambda text: len(text.split()) <= words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One.", ["One."]),
        ("No stop at all", ["No stop at all"]),
        ("A dog. It runs! Where? There", ["A dog.", "It runs!", "Where?", "There"]),
        ("It is 3.5 m wide. Then 2 cats.", ["It is 3.5 m wide.", "Then 2 cats."]),
        ("Mr. Fox and Dr. Owl met. They left.", ["Mr. Fox and Dr. Owl met.", "They left."]),
        ("J. K. Lee wrote it. We read.", ["J. K. Lee wrote it.", "We read."]),
        ("Fruit, e.g. Apples. Done.", ["Fruit, e.g. Apples.", "Done."]),
        ("and so on ... then more.", ["and so on ... then more."]),
        ('He said "Stop." She did.', ['He said "Stop."', "She did."]),
        ("(Look.) A cat.", ["(Look.)", "A cat."]),
        ("a first line\nand a second", ["a first line", "and a second"]),
        ("Wait… What?! Yes.", ["Wait…", "What?!", "Yes."]),
        ("", []),
        ("  \n ", []),
    ],
)
def test_sentences(text, expected):
    assert sentences(text) == expected


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

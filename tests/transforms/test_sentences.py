"""Sentences of a text, and the kinds of captions."""

import pytest

from transforms.sentences import caption_kind, sentences


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


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("a red mug on a table", "phrase"),
        ("one two three four five six seven eight nine ten", "phrase"),
        ("one two three four five six seven eight nine ten eleven", "sentence"),
        ("A mug.", "sentence"),
        ('The sign reads "Stop."', "sentence"),
        ("Is it a dog (or a cat?)", "sentence"),
        ("a mug, approx. 3.5 cm wide", "phrase"),
        ("Mr. Fox met Dr. Owl.", "sentence"),
        ("A mug. It is red.", "paragraph"),
        ("a mug. It is red", "paragraph"),
        ("a first line\nand a second", "paragraph"),
    ],
)
def test_kinds_of_captions(text, kind):
    assert caption_kind(text) == kind

"""Phrases in capitals are lowered; acronyms, names and quoted signs are not."""

import pytest

from prompts.shouting import unshouted


@pytest.mark.parametrize(
    ("text", "lowered"),
    [
        ("KEYBOARD IS WHITE IN COLOUR", "keyboard is white in colour"),
        ("WOMAN HAS A DARK HAIR", "woman has a dark hair"),
        ("some trees hAVE NO LEAVES", "some trees have no leaves"),
        ("A CPU NEXT TO A TV", "a CPU next to a TV"),
        ("I'M ON THE MAN'S LEFT.", "I'm on the man's left."),
        ("KEYBOARD", "keyboard"),
    ],
)
def test_shouted_phrases_are_lowered(text, lowered):
    assert unshouted(text) == lowered
    assert unshouted(lowered) == lowered


@pytest.mark.parametrize(
    "text",
    [
        "TV",
        "STOP",
        "CPU",
        "TV DVD",
        "A",
        "7",
        "",
        "CPU is on the floor",
        "man in NBA shirt",
        "iPad",
    ],
)
def test_other_texts_stay(text):
    assert unshouted(text) == text

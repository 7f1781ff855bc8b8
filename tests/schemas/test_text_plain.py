"""Plain text, which is most text, is cleaned by one match, to what all steps would make of it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import text as cleaning
from schemas.rejection import Rejected
from schemas.text import clean, clean_turn

NEVER = re.compile(r"(?!)")
ASCII = [chr(code) for code in range(0x80)]
WORDS = ["a dog", "it's 3.5%", "(b) [c]", "USER", "region1", "<image>", "##", "  ", "\n\n"]
FOREIGN = ["é", "\xad", "\x85", "\u2028", "＜", "：", "\ud800"]
TEXTS = st.lists(st.sampled_from([*ASCII, *WORDS, *FOREIGN]), max_size=8).map("".join)
CLEANERS = pytest.mark.parametrize("cleaner", [clean, clean_turn])


def outcome(cleaner, text):
    try:
        return cleaner(text)
    except Rejected as cause:
        return cause.reason, cause.detail


def outcome_of_all_steps(cleaner, text):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cleaning, "_PLAIN", NEVER)
        patch.setattr(cleaning, "_PLAIN_TURN", NEVER)
        return outcome(cleaner, text)


@CLEANERS
@given(text=TEXTS)
def test_any_text_is_what_the_steps_make_of_it(cleaner, text):
    assert outcome(cleaner, text) == outcome_of_all_steps(cleaner, text)


@CLEANERS
@pytest.mark.parametrize(
    "frame", ["{}", "a{}b", "a{0}{0}b", "{0}{0}{0}", " {}", "USER{}", "a {}\n"]
)
def test_each_character_is_what_the_steps_make_of_it(cleaner, frame):
    for character in [*ASCII, *FOREIGN]:
        text = frame.format(character)
        assert outcome(cleaner, text) == outcome_of_all_steps(cleaner, text)


@pytest.mark.parametrize(
    ("cleaner", "text"),
    [
        (clean, "a man's hat, 3 feet tall (half-red); isn't it?"),
        (clean_turn, "The picture shows a dog.\n\n1. It runs.\n   It is brown."),
    ],
)
def test_ordinary_text_passes_no_step(cleaner, text, monkeypatch):
    monkeypatch.setattr(cleaning, "_disarmed", None)
    assert cleaner(text) is text

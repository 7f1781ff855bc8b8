"""Hostile text costs no more than its length: every step scans it once, and the passes are few."""

import re
import time

import pytest

from schemas import text as cleaning
from schemas.item import Mention
from schemas.limits import MAX_NESTED_TAGS, MAX_TEXT_CHARACTERS, MAX_TURN_CHARACTERS
from schemas.rejection import Reason, Rejected
from schemas.text import clean, clean_passage, clean_turn

MIB = 2**20
SCANS = 1_000  # of the text, letter by letter; what takes the square of its length needs 100,000

HOSTILE = {
    "blanks in a tag": ("<", " ", ""),
    "blanks in closing tags": ("</", " </ ", ""),
    "one tag, never closed": ("<region", "x", ""),
    "tags, never closed": ("", "<region", ""),
    "tags, always closed": ("", "<region>", ""),
    "nested tags": ("", "<region", ">" * (MAX_TURN_CHARACTERS // 8)),
    "a marker, never closed": ("<|", "| ", ""),
    "markers in markers": ("", "<|", "|>" * (MAX_TURN_CHARACTERS // 4)),
    "a long name": ("<im_", "a", ">"),
    "half a tag": ("", "< ", ""),
    "wide tags": ("", "＜region＞", ""),
    "wide letters": ("", "ｗ", ""),
    "stop strings": ("", "## ### ", ""),
    "one stop string": ("", "#", ""),
    "roles": ("", "USER", ":"),
    "blanks": ("x", " \t", "x"),
    "lines before": ("", " \n", "x"),
    "line breaks": ("x", "\r", "x"),
    "nothing to be seen": ("", "\u200b\x00", ""),
    "surrogates": ("", "\ud800", ""),
}


def hostile(name: str, length: int) -> str:
    before, again, after = HOSTILE[name]
    room = length - len(before) - len(after)
    return before + (again * (room // len(again) + 1))[:room] + after


def passages(text: str):
    """The same text as one piece, and as many."""
    letters = [text[at : at + 2] for at in range(0, len(text), 2)]
    yield (text,)
    yield tuple(letters)
    yield tuple(Mention(letter, ("a",)) for letter in letters)


def outcome(cleaner, given) -> Reason | None:
    try:
        cleaner(given)
    except Rejected as refused:
        return refused.reason
    return None


def scan(text: str) -> float:
    """Seconds of work that it takes to look at every letter once."""
    started = time.process_time()
    assert sum(map(ord, text)) >= 0
    return time.process_time() - started


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_takes_as_long_as_a_plain_one(name):
    long = hostile(name, MAX_TURN_CHARACTERS)
    short = long[:MAX_TEXT_CHARACTERS]
    allowed = SCANS * scan("x" * MAX_TURN_CHARACTERS)
    started = time.process_time()
    outcome(clean_turn, long)
    outcome(clean, short)
    for passage in passages(short[:500]):
        outcome(clean_passage, passage)
    assert time.process_time() - started < allowed


@pytest.mark.parametrize("name", HOSTILE)
def test_a_megabyte_is_refused_for_its_length(name):
    text = hostile(name, MIB)
    outcomes = [outcome(clean_turn, text), outcome(clean, text)]
    outcomes += [outcome(clean_passage, passage) for passage in passages(text)]
    assert outcomes == [Reason.TEXT_TOO_LONG] * 5


class Counted:
    """A pattern that counts the passes it makes over a text."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self.pattern = pattern
        self.passes = 0

    def subn(self, replacement: str, text: str) -> tuple[str, int]:
        self.passes += 1
        return self.pattern.subn(replacement, text)


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(
    ("cleaner", "pattern", "length"),
    [(clean, "_TAG", MAX_TEXT_CHARACTERS), (clean_turn, "_SPECIAL", MAX_TURN_CHARACTERS)],
    ids=["one line", "turn"],
)
def test_the_passes_over_a_text_are_few(name, cleaner, pattern, length, monkeypatch):
    counted = Counted(getattr(cleaning, pattern))
    monkeypatch.setattr(cleaning, pattern, counted)
    outcome(cleaner, hostile(name, length))
    assert counted.passes <= 2 * (
        MAX_NESTED_TAGS + 1
    )  # as it stands, and with its wide letters folded


@pytest.mark.parametrize("pattern", ["_TAG", "_SPECIAL", "_UNCLOSED"])
def test_one_pass_is_one_scan(pattern):
    expression = getattr(cleaning, pattern)
    for name in HOSTILE:
        text = hostile(name, MAX_TURN_CHARACTERS)
        allowed = SCANS * scan("x" * MAX_TURN_CHARACTERS)
        started = time.process_time()
        expression.sub("", text)
        assert time.process_time() - started < allowed, name

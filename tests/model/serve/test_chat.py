"""A talk line by line."""

import pytest

from model.errors import InputError
from model.serve.chat import converse, description

BOX = (1, 2, 30, 40)


class Talk:
    """A talk that answers with the number of its questions."""

    begun = 0

    def __init__(self):
        type(self).begun += 1
        self.number, self.count = self.begun, 0

    def ask(self, question, on_text=None):
        if question == "bad":
            raise InputError("a bad question")
        self.count += 1
        return f"talk {self.number}, answer {self.count}: {question}"


@pytest.fixture
def begin(monkeypatch):
    """Begins talks, whose numbers count from 1."""
    monkeypatch.setattr(Talk, "begun", 0)
    return Talk


def test_lines_are_questions_and_commands(begin, capsys):
    lines = ["one\n", "\n", " two ", "/new", "three", "/regions", "/quit", "four"]
    converse(begin, lines, ["box 1, 2, 3, 4"], strict=True)
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "talk 1, answer 1: one",
        "talk 1, answer 2: two",
        "talk 2, answer 1: three",
    ]
    assert err.splitlines() == ["a new talk", "region1: box 1, 2, 3, 4"]


def test_a_typist_goes_on_after_an_error(begin, capsys):
    converse(begin, ["bad", "/nwe", "good"], [], strict=False)
    out, err = capsys.readouterr()
    assert out == "talk 1, answer 1: good\n"
    assert err.splitlines() == [
        "error: a bad question",
        "error: there is no command '/nwe': /new begins a new talk, /regions lists the regions, "
        "/quit ends",
    ]


def test_a_program_stops_at_an_error(begin):
    with pytest.raises(InputError, match="a bad question"):
        converse(begin, ["bad", "good"], [], strict=True)


def test_regions_in_a_few_words():
    assert description(BOX) == "box 1, 2, 30, 40"
    assert description({"bbox": (1.5, 2, 3, 4)}) == "box 1.5, 2, 3, 4"
    assert description({"size": [4, 4], "counts": "x"}) == "mask"
    assert description({"mask": {"size": [4, 4]}, "bbox": (1, 2, 3, 4)}) == "mask"

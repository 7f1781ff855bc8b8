"""An answer part by part."""

from threading import Event

import pytest

from model.serve.web.stream import growing


def test_what_there_is_after_each_part_and_the_whole():
    def answer(take):
        take("a ")
        take("red")
        return "a red star"

    assert list(growing(answer)) == ["a ", "a red", "a red star"]


def test_an_error_reaches_the_reader():
    def answer(take):
        take("a")
        raise ValueError("broken")

    parts = growing(answer)
    assert next(parts) == "a"
    with pytest.raises(ValueError, match="broken"):
        next(parts)


def test_an_answer_that_nobody_reads_is_not_made_further():
    closing, taken = Event(), list[str]()

    def answer(take):
        take("first")
        closing.wait(20)
        for number in range(1000):
            take(str(number))
            taken.append(str(number))
        return "all"

    parts = growing(answer)
    next(parts)
    closing.set()
    parts.close()
    assert len(taken) < 1000

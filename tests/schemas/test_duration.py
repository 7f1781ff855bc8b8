"""Lengths of time in words."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.duration import duration

SECONDS = {"d": 86400, "h": 3600, "min": 60, "s": 1}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.44, "0.4 s"),
        (2, "2 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (65, "1 min 5 s"),
        (320, "5 min 20 s"),
        (3599.6, "1 h"),
        (7500, "2 h 5 min"),
        (86399, "1 d"),
        (273_600, "3 d 4 h"),
        (86400 * 1200, "1,200 d"),
    ],
)
def test_two_units_are_named_at_most(seconds, words):
    assert duration(seconds) == words


@given(st.floats(0, 1e9))
def test_the_words_are_near_the_seconds(seconds):
    parts = re.findall(r"([\d.,]+) (\w+)", duration(seconds))
    total = sum(float(number.replace(",", "")) * SECONDS[unit] for number, unit in parts)
    assert abs(total - seconds) <= 0.05 + 0.021 * seconds  # half an hour of a day
    assert all(float(number.replace(",", "")) < 60 for number, unit in parts if unit != "d")

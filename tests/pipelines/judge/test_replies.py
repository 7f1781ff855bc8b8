"""Replies of judges: rule by rule in the order of the owners' reading, and never a crash."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.judge import questions, replies
from pipelines.judge.replies import choose, choose_exactly

NOT, IS = "No lid is mentioned.", "A lid is mentioned."
LONG = "A lid is mentioned. It is white."
OPTIONS = [NOT, IS, "The lid is red.", "The lid is red and round."]


@pytest.mark.parametrize("module", [replies, questions])
def test_examples(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("reply", "number"),
    [
        # 1: the option's text, with its letter, or the letter
        (IS, 1),
        ("B. A lid is mentioned.", 1),
        (" b. a LID is mentioned.\n", 1),
        ("C", 2),
        ("d", 3),
        # 2: one option's text inside, which beats a leading letter
        ("I choose: A lid is mentioned. Because it is.", 1),
        (f"B. {NOT}", 0),
        # 3: a leading letter with a full stop, where the wording was altered
        ("B. The description does mention a lid.", 1),
        ("a.", 0),
        ("E. Something else.", None),
        # ... also where several texts are inside
        (f"C. {NOT} {IS}", 2),
        # 4: of several texts inside, the one that begins last; in one spot the longest
        (f"Not '{NOT}' but '{IS}'", 1),
        (f"'{IS}', not '{NOT}'", 0),
        ("It is this: the lid is red and round.", 3),
        # 5: a part of options: the longest of them
        ("lid is red", 3),
        ("is mentioned.", 0),
        # 6: a letter, and then a new line
        ("C\nThe lid has that colour.", 2),
        ("e", None),
        ("E\nNone fits.", None),
        # 7: none
        ("I cannot tell.", None),
        ("B) yes", None),
        ("", None),
        (" \n", None),
        ("<think>A or B?", None),
        ("<think>A. No, wait.</think>\n\nB", 1),
    ],
)
def test_what_a_reply_chooses(reply, number):
    assert choose(reply, OPTIONS) == number


@pytest.mark.parametrize(
    ("reply", "number"),
    [("A. Yes", 0), ("yes", 0), ("Yes.", 0), ("No", 1), ("B", 1), ("C. Maybe", None), ("?", None)],
)
def test_whether_a_thing_is_recognised(reply, number):
    assert choose(reply, ["Yes", "No"]) == number


@pytest.mark.parametrize(
    ("reply", "number"),
    [
        ("True", 0),
        ("False", 1),
        ("true", None),
        ("True.", None),
        (" True", None),
        ("", None),
        ("<think>True? No.</think>\n\nFalse", 1),
    ],
)
def test_only_the_exact_word_counts(reply, number):
    assert choose_exactly(reply, ["True", "False"]) == number


@given(st.text(), st.lists(st.text(min_size=1), min_size=2, max_size=26))
def test_any_reply_chooses_an_option_or_none(reply, options):
    assert choose(reply, options) in {None, *range(len(options))}


def test_a_reply_that_is_right_after_its_letter_is_read_in_any_option():
    for number, option in enumerate(OPTIONS):
        assert choose(f"{'ABCD'[number]}. {option}", OPTIONS) == number
        assert choose("ABCD"[number], OPTIONS) == number

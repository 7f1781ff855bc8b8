"""Where a long conversation is cut: between turns, and never above a turn that needs its own."""

from hypothesis import given
from hypothesis import strategies as st

from prompts.cutting import fitting_turns
from prompts.dialogue import Exchange
from schemas.sample import Message, Task

TURNS = st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=1, max_size=12)


def talk(turns: list[tuple[int, bool]]) -> tuple[list[Message], list[Exchange]]:
    """Turns with so many words in their answers, after a request of one word."""
    messages, exchanges = [], []
    for number, (words, follows) in enumerate(turns):
        answer = "dog " * words
        messages += [Message("user", "What?"), Message("assistant", answer)]
        exchanges.append(
            Exchange(
                task=Task.REGION_CAPTION,
                request=("What?",),
                answer=answer,
                prompt="p",
                follows=follows and number > 0,
            )
        )
    return messages, exchanges


def test_an_example():
    messages, exchanges = talk([(499, False), (299, True), (399, False)])
    assert fitting_turns(messages, exchanges, 900) == 2
    assert fitting_turns(messages, exchanges, 1200) == 3


def test_a_turn_that_is_too_long_stays_whole_and_alone():
    assert fitting_turns(*talk([(901, False), (1, False)]), 900) == 1
    assert fitting_turns(*talk([(901, False), (1, True), (1, True)]), 900) == 3


@given(TURNS, st.integers(1, 100))
def test_as_many_turns_as_fit(turns, limit):
    messages, exchanges = talk(turns)
    number = fitting_turns(messages, exchanges, limit)
    starts = [turn for turn, exchange in enumerate(exchanges) if not exchange.follows]
    ends = [*starts[1:], len(exchanges)]
    words = {end: sum(length + 1 for length, _ in turns[:end]) for end in ends}
    assert number == max([end for end in ends if words[end] <= limit], default=ends[0])

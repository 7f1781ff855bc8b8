"""The cutting of long conversations between turns, for models that read a limited number of words.

Training drops the turns beyond a model's context, so the rest of a long conversation goes into a
further one. A turn that needs the turn before it stays with that turn. An example with a limit of
900 words, and turns of 500, 300 (which follows the first), and 400 words: two conversations, of
800 and 400 words.
"""

from collections.abc import Sequence

from prompts.dialogue import Exchange
from schemas.sample import Message

MAX_WORDS = 900  # the default limit; about 1,500 tokens


def fitting_turns(
    messages: Sequence[Message], exchanges: Sequence[Exchange], max_words: int
) -> int:
    """Return the number of the first turns that fit into a conversation together.

    Args:
        messages: the messages of all turns, a request and an answer for each.
        exchanges: the exchanges of the turns.
        max_words: the maximum number of words, separated by blanks, of all messages. The first
            turn and those that need it are taken even if they have more.
    """
    if sum(len(message.content) + 1 for message in messages) <= 2 * max_words:
        return len(exchanges)  # even if every word were a single letter
    words = taken = 0
    for turn, exchange in enumerate(exchanges):
        if not exchange.follows:
            taken = turn
        words += sum(len(message.content.split()) for message in messages[2 * turn : 2 * turn + 2])
        if words > max_words:
            return taken or _end_of_first(exchanges)
    return len(exchanges)


def _end_of_first(exchanges: Sequence[Exchange]) -> int:
    """Return the number of turns that the first turn and those that need it are."""
    ends = (turn for turn, exchange in enumerate(exchanges) if turn and not exchange.follows)
    return next(ends, len(exchanges))

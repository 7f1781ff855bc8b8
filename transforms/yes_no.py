"""Answers by yes or no: what a text says, and the probability of yes by its tokens.

>>> [read_yes_no(text) for text in ("Yes.", "**No**", "No, it is red.", "No doubt", "Perhaps")]
[True, False, False, None, None]
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from transforms.caption_text import THOUGHT, after_thinking

_ANSWER = re.compile(
    r"[\W_]*(yes|no)(?![\w'\u2019])\s*(?:$|[.,;:!*_\"'\u201d)\n\u2014-])", re.IGNORECASE
)


class Token(NamedTuple):
    """A token of an answer, and the log-probabilities of the tokens that might stand there."""

    text: str
    logprob: float
    others: Mapping[str, float]  # the likeliest tokens, mostly with the token itself among them


def read_yes_no(text: str) -> bool | None:
    """Return whether an answer is yes, or None where it is neither a plain yes nor a plain no."""
    match = _ANSWER.match(after_thinking(text) or "")
    return match[1].lower() == "yes" if match else None


def yes_probability(tokens: Sequence[Token]) -> float | None:
    """Return the probability of yes against no at the first token that is one of them.

    Args:
        tokens: the tokens of an answer, in order; thoughts before it are left aside.

    Returns:
        The probability, 0 to 1; None where no token is yes or no.

    >>> likely, other = math.log(0.75), math.log(0.25)
    >>> yes_probability([Token("No", likely, {"No": likely, " yes": other})])
    0.25
    """
    thoughts = [number for number, token in enumerate(tokens) if THOUGHT in token.text]
    for token in tokens[thoughts[-1] + 1 if thoughts else 0 :]:
        if (said := _word(token.text)) is not None:
            return _share(token, said)
    return None


def _share(token: Token, said: bool) -> float:
    """Return the probability of yes against no, at a token that is one of them."""
    sums = {True: 0.0, False: 0.0}
    for text, logprob in {token.text: token.logprob, **token.others}.items():
        if (word := _word(text)) is not None:
            sums[word] += math.exp(min(logprob, 0.0))
    if not token.others:  # all that is not the token counts against it
        sums[not said] = 1.0 - sums[said]
    total = sum(sums.values())
    return round(sums[True] / total, 6) if total else float(said)


def _word(text: str) -> bool | None:
    """Return True for a token that is yes, False for one that is no, and else None."""
    return {"yes": True, "no": False}.get(text.strip(" \t\n\u2581\u0120\"'*").lower())

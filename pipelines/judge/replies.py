"""What a judge's reply chooses among lettered options, in the order of DLC-Bench's own reading.

Two things differ, which stop the owners' script or mislead it: a letter that no option has, and an
empty reply, choose nothing.
"""

import re
from collections.abc import Sequence

from prompts.judge import letter_of
from transforms.caption_text import after_thinking

_LEADING = re.compile(r"([a-e])\.")
_LONE = re.compile(r"([a-z])(?:$|\n)")


def without_thoughts(reply: str) -> str:
    """Return a reply without the thoughts before it; empty where it ends before they do.

    >>> without_thoughts("<think>Is it?</think>\\n\\nTrue"), without_thoughts("True.")
    ('True', 'True.')
    """
    answer = after_thinking(reply)
    return reply if answer == reply else (answer or "").strip()


def choose(reply: str, options: Sequence[str]) -> int | None:
    """Return the number of the option that a reply chooses, from 0; None: no option was read.

    >>> options = ["No lid is mentioned.", "A lid is mentioned."]
    >>> [choose(reply, options) for reply in ("B", "A. No lid is mentioned.", "C. Both.")]
    [1, 0, None]
    """
    said = without_thoughts(reply).strip().lower()
    texts = [option.strip().lower() for option in options]
    if not said:
        return None
    for number, text in enumerate(texts):
        letter = letter_of(number).lower()
        if said in (text, f"{letter}. {text}", letter):
            return number
    inside = [number for number, text in enumerate(texts) if text in said]
    if len(inside) == 1:
        return inside[0]
    if leading := _LEADING.match(said):
        return _lettered(leading[1], texts)
    if inside:
        return max(inside, key=lambda number: (said.index(texts[number]), len(texts[number])))
    if lone := _LONE.match(said):
        return _lettered(lone[1], texts)
    around = [number for number, text in enumerate(texts) if said in text]
    return max(around, key=lambda number: len(texts[number]), default=None)


def choose_exactly(reply: str, options: Sequence[str]) -> int | None:
    """Return the number of the option that is the reply, to the letter; None: none is.

    >>> [choose_exactly(reply, ["True", "False"]) for reply in ("False", "True.", "true")]
    [1, None, None]
    """
    said = without_thoughts(reply)
    return options.index(said) if said in options else None


def _lettered(letter: str, options: Sequence[str]) -> int | None:
    number = ord(letter) - ord("a")
    return number if number < len(options) else None

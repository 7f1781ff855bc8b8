"""The agreement of several captions of the same thing, by the words and pairs of words they share.

What a captioner makes up differs from sample to sample, and what it sees does not. Function words
count for nothing, and text in any order but that of pairs is the same.
"""

import re
from collections.abc import Sequence
from itertools import pairwise

from transforms.stopwords import ENGLISH

_WORD = re.compile(r"[^\W_]+")


def agreement(texts: Sequence[str]) -> list[float]:
    """Return for each text its mean overlap with the others, 0 to 1.

    The overlap of two texts is Dice's coefficient of their sets of words and of pairs of words.

    Args:
        texts: two or more captions.

    >>> agreement(["A red mug.", "The red mug.", "A blue bowl."])
    [0.5, 0.5, 0.0]
    """
    terms = [_terms(text) for text in texts]
    return [
        sum(_overlap(one, other) for n, other in enumerate(terms) if n != position)
        / (len(terms) - 1)
        for position, one in enumerate(terms)
    ]


def _terms(text: str) -> frozenset[tuple[str, ...]]:
    words = [word for word in _WORD.findall(text.lower()) if word not in ENGLISH]
    return frozenset([*((word,) for word in words), *pairwise(words)])


def _overlap(one: frozenset[tuple[str, ...]], other: frozenset[tuple[str, ...]]) -> float:
    """Return Dice's coefficient of two sets; two empty ones are alike."""
    total = len(one) + len(other)
    return 2 * len(one & other) / total if total else 1.0

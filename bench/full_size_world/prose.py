"""Random text with natural lengths and word frequencies, made of words of syllables.

Word frequencies follow Zipf's law, so that the text compresses about as well as English.
"""

from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from pipelines.sample_world.scene import generator

WORDS = 9_000
_ONSETS = ("b", "c", "d", "f", "g", "h", "l", "m", "n", "p", "r", "s", "t", "st", "tr", "w")
_ENDINGS = ("an", "er", "in", "o", "al", "ent", "i", "ar", "ed", "ul", "on", "is", "e", "at")
_GLUE = ("the", "a", "of", "on", "in", "is", "and", "with", "to", "has", "at", "it", "by", "for")
_SHIFT, _EXPONENT = 2.7, 1.15  # parameters of the Zipf-Mandelbrot law


@cache
def vocabulary() -> list[str]:
    """Return all words, the most frequent words first."""
    syllables = [onset + ending for onset, ending in product(_ONSETS, _ENDINGS)]
    pairs = [one + other for one, other in product(syllables, syllables)]
    rng = generator("vocabulary")
    short = [syllables[place] for place in rng.permutation(len(syllables)).tolist()]
    long = [pairs[place] for place in rng.permutation(len(pairs)).tolist()]
    return list(dict.fromkeys([*_GLUE, *short, *long]))[:WORDS]


def zipf(key: str, count: int, values: int) -> NDArray[np.int64]:
    """Return random numbers from 0 to `values` - 1, (count,), with low numbers most frequent."""
    weights = (np.arange(values) + _SHIFT) ** -_EXPONENT
    edges = np.cumsum(weights) / weights.sum()
    edges[-1] = 1.0
    return np.searchsorted(edges, generator("zipf", key).random(count), side="right")


def phrases(key: str, count: int, words: float) -> list[str]:
    """Return phrases of at least 1 word, and `words` words on average."""
    lengths = 1 + generator("lengths", key).poisson(words - 1, count)
    names = vocabulary()
    drawn = [names[place] for place in zipf(key, int(lengths.sum()), len(names)).tolist()]
    ends = np.cumsum(lengths).tolist()
    bounds = zip([0, *ends[:-1]], ends, strict=True)
    return [" ".join(drawn[start:end]) for start, end in bounds]


def sentences(key: str, count: int, words: float) -> list[str]:
    """Return sentences of `words` words on average."""
    return [f"{phrase.capitalize()}." for phrase in phrases(key, count, words)]


def names(count: int) -> list[str]:
    """Return distinct names of one or two words."""
    words = vocabulary()
    pairs = (f"{words[k % 997]} {words[1_000 + k % 7_993]}" for k in range(count))
    unique = list(dict.fromkeys([*words[len(_GLUE) : count // 2], *pairs]))[:count]
    assert len(unique) == count, f"{count} names are more than there are"
    return unique

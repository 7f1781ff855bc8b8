"""CIDEr-D, the likeness of captions to their references by n-grams weighted by rarity.

1. An n-gram (1 to 4 words) weighs log(entries / entries whose references hold it); one that no
   reference holds weighs log(entries). The value of a caption thus depends on the whole set, and a
   set of one entry gives 0.
2. A caption and a reference are compared for each length by the cosine of their weights times
   counts, where the caption's weights are clipped to the reference's, and by a Gaussian of the
   difference of their lengths.
3. The score is ten times the mean over lengths and references.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

LENGTHS = 4  # n-grams of 1 to 4 words
SIGMA = 6.0  # words, of the Gaussian of lengths

Words = Sequence[str]
_Ngram = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Vector:
    """The weights of a sentence, by n-gram, with their norms by length."""

    weights: dict[_Ngram, float]
    norms: tuple[float, ...]
    bigrams: int


def cider(captions: Sequence[Words], references: Sequence[Sequence[Words]]) -> list[float]:
    """Return the CIDEr-D of each caption, from 0 to 10.

    >>> cider([["red", "dog"], ["cat"]], [[["red", "dog"]], [["blue", "cat"]]])[0]
    5.0

    Args:
        captions: the words of each caption; none for an entry without answer.
        references: the words of each reference, for each caption at least one.
    """
    counted = [[_ngrams(reference) for reference in right] for right in references]
    holders = Counter(ngram for right in counted for ngram in set().union(*right))
    entries = math.log(max(len(captions), 1))
    rarity = {ngram: entries - math.log(number) for ngram, number in holders.items()}
    scores = []
    for caption, right in zip(captions, counted, strict=True):
        vector = _vector(_ngrams(caption), rarity, entries)
        likeness = [_likeness(vector, _vector(counts, rarity, entries)) for counts in right]
        scores.append(10 * sum(likeness) / len(likeness))
    return scores


def _ngrams(words: Words) -> Counter[_Ngram]:
    return Counter(
        tuple(words[start : start + length])
        for length in range(1, LENGTHS + 1)
        for start in range(len(words) - length + 1)
    )


def _vector(counts: Counter[_Ngram], rarity: dict[_Ngram, float], unseen: float) -> _Vector:
    weights = {ngram: count * rarity.get(ngram, unseen) for ngram, count in counts.items()}
    squares = [0.0] * LENGTHS
    for ngram, weight in weights.items():
        squares[len(ngram) - 1] += weight * weight
    bigrams = sum(count for ngram, count in counts.items() if len(ngram) == 2)
    return _Vector(weights, tuple(map(math.sqrt, squares)), bigrams)


def _likeness(caption: _Vector, reference: _Vector) -> float:
    shared = [0.0] * LENGTHS
    for ngram, weight in caption.weights.items():
        right = reference.weights.get(ngram)
        if right is not None:
            shared[len(ngram) - 1] += min(weight, right) * right
    norms = [mine * theirs for mine, theirs in zip(caption.norms, reference.norms, strict=True)]
    cosines = [value / norm for value, norm in zip(shared, norms, strict=True) if norm]
    apart = caption.bigrams - reference.bigrams
    return sum(cosines) / LENGTHS * math.exp(-(apart**2) / (2 * SIGMA**2))

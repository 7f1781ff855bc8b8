"""A pool of expressions by length, from which those with given words or kinds are left out fast.

An expression is a bit of an integer, and so is a set of expressions. Which expressions have none of
an image's traits is then a matter of a few operations on integers, however many there are.
"""

from collections import defaultdict
from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from typing import Generic, NamedTuple, TypeVar

from schemas.ids import RANK_BITS

T = TypeVar("T")

_CHOICE = 4  # expressions that one is selected from, if there are so many


class Traits(NamedTuple):
    """What an expression or an image is known by."""

    words: set[str]  # content words, as stems
    kinds: set[int | str]  # kinds of things, by number, and names of categories


class Pool(Generic[T]):
    """Expressions, each with its length and traits."""

    def __init__(self, expressions: Iterable[tuple[int, T, Traits]] = ()) -> None:
        """Collect (length, expression, traits); those of equal length keep their order."""
        ordered = sorted(expressions, key=itemgetter(0))
        self.expressions = [expression for _, expression, _ in ordered]
        self.all = (1 << len(ordered)) - 1
        self.lengths: dict[int, int] = {}  # the expressions of each length
        for length, positions in groupby(range(len(ordered)), key=lambda k: ordered[k][0]):
            self.lengths[length] = sum(1 << position for position in positions)
        self._having: defaultdict[tuple[str, int | str], int] = defaultdict(int)
        for position, (_, _, traits) in enumerate(ordered):
            for key in _keys(traits):
                self._having[key] |= 1 << position

    def without(self, traits: Traits) -> "Rest[T]":
        """Return the expressions that share no trait with the given ones."""
        having = 0
        for key in _keys(traits):
            having |= self._having.get(key, 0)
        return Rest(self, self.all & ~having)


class Rest(Generic[T]):
    """The expressions of a pool that are left."""

    def __init__(self, pool: Pool[T], left: int) -> None:
        self._pool = pool
        self._left = left

    def take(self, length: int, rank: int) -> T | None:
        """Take out an expression that a rank selects, of those nearest in length.

        These are all of the same length; more and more lengths around it where they are fewer than
        `_CHOICE`, so that no expression of a rare length is taken for very many images.
        """
        near, lengths = 0, self._pool.lengths
        for distance in range(max(lengths, default=0) + length):
            for other in {length - distance, length + distance}:
                near |= self._left & lengths.get(other, 0)
            if near.bit_count() >= _CHOICE:
                break
        if not near:
            return None
        position = _nth(near, rank * near.bit_count() >> RANK_BITS)
        self._left &= ~(1 << position)
        return self._pool.expressions[position]


def _keys(traits: Traits) -> Iterable[tuple[str, int | str]]:
    for word in traits.words:
        yield "word", word
    for kind in traits.kinds:
        yield "kind", kind


def _nth(bits: int, number: int) -> int:
    """Return the position of a set bit, counted from 0 and from the lowest bit."""
    start, width = 0, bits.bit_length()
    while width > 1:
        half = width // 2
        lower = bits & ((1 << half) - 1)
        if number < (count := lower.bit_count()):
            bits, width = lower, half
        else:
            bits >>= half
            number, start, width = number - count, start + half, width - half
    return start

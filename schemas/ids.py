"""Ids and ranks by hashing: the same words give the same number on every machine.

A build uses no random generator, no clock and no order of arrival. Every choice that looks random
(a wording, the regions under a cap, a shard) is a rank computed here.
"""

from collections.abc import Sequence
from hashlib import blake2b
from struct import Struct
from typing import TypeVar

RANK_BITS = 63  # so that a rank fits a signed 64-bit integer
_SPARE_BITS = 64 - RANK_BITS
_TWO_NUMBERS = Struct(">2Q")  # of 64 bits, which make up a digest

T = TypeVar("T")


class Hasher:
    """A hasher with fixed first parts (a seed, an image), which gives ranks of further parts."""

    __slots__ = ("_state",)

    def __init__(self, *parts: str | int) -> None:
        self._state = blake2b(digest_size=16)
        _add(self._state, parts)

    def with_parts(self, *parts: str | int) -> "Hasher":
        """Return a hasher with more fixed parts, for many ranks that share them."""
        hasher = Hasher.__new__(Hasher)
        hasher._state = self._state.copy()
        _add(hasher._state, parts)
        return hasher

    def rank(self, *parts: str | int) -> int:
        """Return a uniform 63-bit number that depends on all parts and on nothing else."""
        return self.ranks(*parts)[0]

    def ranks(self, *parts: str | int) -> tuple[int, int]:
        """Return two independent ranks of the same parts, made by a single hash."""
        state = self._state.copy()
        _add(state, parts)
        one, other = _TWO_NUMBERS.unpack(state.digest())
        return one >> _SPARE_BITS, other >> _SPARE_BITS


def pick(options: Sequence[T], position: int) -> T:
    """Return the option that a rank selects; all options are equally likely."""
    return options[position * len(options) >> RANK_BITS]


def rank(*parts: str | int) -> int:
    """Return a uniform 63-bit number that depends on all parts and on nothing else."""
    return Hasher().rank(*parts)


def bucket(count: int, *parts: str | int) -> int:
    """Return a number in [0, count), chosen by the rank of the parts."""
    return rank(*parts) * count >> RANK_BITS


def sample_id(source: str, split: str, image_id: str, task: str, ordinal: int) -> str:
    """Return the id of a record, unique in a build and the same in every build of the source."""
    return f"{source}/{split}/{image_id}/{task}/{ordinal}"


def image_of(record_id: str) -> str:
    """Return the image's part of a record's id: `coco/train/7` of `coco/train/7/vqa/0`."""
    return record_id.rsplit("/", 2)[0]


def _add(state: blake2b, parts: Sequence[str | int]) -> None:
    # Each part is hashed with its length, so that ("a", "bc") and ("ab", "c") differ.
    for part in parts:
        word = str(part)
        state.update(f"{len(word)}:{word}".encode("utf-8", "surrogatepass"))

"""Identity and chance, both by hashing: the same words give the same number on every machine.

Nothing in a build draws from a random generator, the clock or the order of arrival. Whatever
looks random (which wording, which regions are kept, which shard) is a rank computed here.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

RANK_BITS = 63  # so that a rank fits a signed 64-bit integer

T = TypeVar("T")


def rank(*parts: str | int) -> int:
    """Return a uniform 63-bit number that depends on all parts and on nothing else.

    Parts are joined with their lengths, so ("a", "bc") and ("ab", "c") differ.
    """
    words = [str(part) for part in parts]
    text = f"{[len(word) for word in words]}{''.join(words)}"
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) >> 64 - RANK_BITS


def pick(options: Sequence[T], *parts: str | int) -> T:
    """Return one of the options, chosen by the rank of the parts."""
    return options[rank(*parts) * len(options) >> RANK_BITS]


def bucket(count: int, *parts: str | int) -> int:
    """Return a number in [0, count), chosen by the rank of the parts."""
    return rank(*parts) * count >> RANK_BITS


def sample_id(source: str, split: str, image_id: str, task: str, ordinal: int) -> str:
    """Return the id of one record: unique in a build, the same in every build of its source."""
    return f"{source}/{split}/{image_id}/{task}/{ordinal}"

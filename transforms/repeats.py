"""The search for texts that repeat others, and for openings that too many texts share.

Texts come in an order of precedence: one stays unless it repeats one that stays before it. Only
texts are compared whose sketches agree in one of 32 bands of four bytes: of two texts that share
0.7 of their runs, all but one pair in 5,000 do. Memory is some 300 bytes for each text.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from transforms.sketch import SIZE, Sketches, overlap

_BANDS = SIZE // 4
_MOST_COMPARED = 32  # texts of a band, the latest ones, with which a text is compared
FEW = 10  # texts that may share an opening in any case

_NONE = -1


class Repeat(NamedTuple):
    """A text that repeats an earlier one."""

    text: int  # its number
    of: int  # the number of the earlier one, which stays
    share: float  # of their runs of words, which they have in common


def find_repeats(sketches: Sketches, most: float) -> Iterator[Repeat]:
    """Yield each text that shares more of its runs with one that stays than is allowed, in order.

    Args:
        sketches: uint8 [texts, SIZE], in order of precedence.
        most: the largest share of runs in common of two texts that both stay.
    """
    before = _before(sketches)
    stays = np.ones(len(sketches), dtype=bool)
    for text in range(len(sketches)):
        near = _near(text, before, stays)
        if not near:
            continue
        shares = overlap(sketches[near], sketches[text])
        likest = int(shares.argmax())
        if shares[likest] > most:
            stays[text] = False
            yield Repeat(text, near[likest], float(shares[likest]))


def find_stock_openings(openings: Sequence[str], most: float) -> Iterator[int]:
    """Yield the numbers of texts whose opening enough texts before them have.

    Args:
        openings: of each text the words that it begins with, in order of precedence.
        most: the largest share of texts with the same opening; ten may have one in any case.
    """
    limit = max(FEW, int(most * len(openings)))
    counts: Counter[str] = Counter()
    for text, opening in enumerate(openings):
        counts[opening] += 1
        if counts[opening] > limit:
            yield text


def _before(sketches: Sketches) -> NDArray[np.int32]:
    """Return for each text and band the last text before it of the same band, or -1."""
    bands = np.ascontiguousarray(sketches).view(np.uint32)
    before = np.full(bands.shape, _NONE, dtype=np.int32)
    for band in range(_BANDS):
        order = np.argsort(bands[:, band], kind="stable")
        values = bands[order, band]
        same = values[1:] == values[:-1]
        before[order[1:][same], band] = order[:-1][same]
    return before


def _near(text: int, before: NDArray[np.int32], stays: NDArray[np.bool_]) -> list[int]:
    """Return the texts before a text that stay and share a band.

    The last one before a text that was left out is one that stays, since `before` is mended here.
    """
    near: set[int] = set()
    for band in range(_BANDS):
        other = int(before[text, band])
        if other != _NONE and not stays[other]:
            other = int(before[other, band])
        before[text, band] = other
        for _ in range(_MOST_COMPARED):
            if other == _NONE:
                break
            near.add(other)
            other = int(before[other, band])
    return sorted(near)

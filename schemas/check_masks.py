"""Checks of masks for faults in run lengths that pycocotools ignores, without decoding pixels.

The masks of a record are first proven sound together, in a few vectorised passes over their
characters. Masks that are not proven are decoded one by one, to name their fault.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from schemas.limits import MAX_RUN_DIGITS
from schemas.mask import decode_counts
from schemas.rejection import Rejected

Numbers = NDArray[np.int64]


def mask_problems(masks: Sequence[str], pixels: int) -> Iterator[tuple[int, str]]:
    """Yield the position of each unsound mask and its problem.

    Args:
        masks: the masks of one image, as COCO's compressed run lengths.
        pixels: the number of pixels of that image, height times width.
    """
    if masks and not (all(masks) and _sound(masks, pixels)):
        for position, counts in enumerate(masks):
            if problem := _problem(counts, pixels):
                yield position, problem


def _problem(counts: str, pixels: int) -> str | None:
    try:
        runs = decode_counts(counts)
    except Rejected as cause:
        return cause.detail
    if sum(runs) != pixels:
        return f"run lengths sum to {sum(runs)}, expected {pixels}"
    if min(runs, default=0) < 0:
        return f"a run of {min(runs)} pixels, expected none below 0"
    return None if any(runs[1::2]) else "no pixel is on, expected one at least"


def _sound(masks: Sequence[str], pixels: int) -> bool:
    digits = np.frombuffer("".join(masks).encode(), np.uint8) - 48  # wraps below 0
    stops = list(accumulate(map(len, masks)))
    if digits.max() > 63 or (digits[np.array(stops) - 1] > 31).any():
        return False
    last_digits = (digits < 32).nonzero()[0]
    runs = _numbers(digits, last_digits)
    if runs is None:
        return False
    ends = np.searchsorted(last_digits, stops)
    starts = np.append(0, ends[:-1])
    if (ends - starts < 2).any() or not runs[starts + 1].all():  # apparently no pixel is on
        return False
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        for parity in (1, 2):
            same = runs[start + parity : end : 2]
            np.add.accumulate(same, out=same)
    return bool(runs.min() >= 0 and (np.add.reduceat(runs, starts) == pixels).all())


def _numbers(digits: NDArray[np.uint8], last_digits: NDArray[np.intp]) -> Numbers | None:
    """Return the numbers that end at the given digits, or None if a number is too long.

    Args:
        digits: five bits each, least significant first, with a sixth bit for "more follows".
        last_digits: the positions of digits without that bit; their fifth bit is the sign.
    """
    more = last_digits.copy()  # digits before the last digit
    more[1:] -= last_digits[:-1] + 1
    longest = int(more.max())
    if longest >= MAX_RUN_DIGITS:
        return None
    bits = (digits & 31).astype(np.int64)
    numbers: Numbers = bits[last_digits]
    numbers -= (numbers & 16) << 1
    for back in range(1, longest + 1):
        longer = (more >= back).nonzero()[0]
        numbers[longer] = numbers[longer] << 5 | bits[last_digits[longer] - back]
    return numbers

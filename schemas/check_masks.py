"""Checks of masks for faults in run lengths that pycocotools ignores, without decoding pixels.

The masks of a record are first proven sound together, in a few vectorised passes over their
characters. Masks that are not proven are decoded one by one, to name their fault.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate

import numpy as np

from schemas.mask import Numbers, decode_counts, numbers_of
from schemas.rejection import Rejected


def mask_problems(masks: Sequence[str], pixels: int) -> Iterator[tuple[int, str]]:
    """Yield the position of each unsound mask and its problem.

    Args:
        masks: the masks of one image, as COCO's compressed run lengths.
        pixels: the number of pixels of that image, height times width.
    """
    if masks and sound_lengths(masks, pixels) is None:
        for position, counts in enumerate(masks):
            if problem := _problem(counts, pixels):
                yield position, problem


def sound_lengths(masks: Sequence[str], pixels: int) -> tuple[Numbers, Numbers] | None:
    """Return the run lengths of masks one after another, and the position of each mask's first.

    Args:
        masks: the masks of one image, as COCO's compressed run lengths; one at least.
        pixels: the number of pixels of that image, height times width.

    Returns:
        None where a mask is not proven sound: it is malformed, does not fill the image, or its
        second run, the first that is on, is empty.
    """
    if not all(masks):
        return None
    digits = np.frombuffer("".join(masks).encode(), np.uint8) - 48  # wraps below 0
    stops = list(accumulate(map(len, masks)))
    if digits.max() > 63 or (digits[np.array(stops) - 1] > 31).any():
        return None
    last_digits = (digits < 32).nonzero()[0]
    runs = numbers_of(digits, last_digits)
    if runs is None:
        return None
    ends = np.searchsorted(last_digits, stops)
    starts = np.append(0, ends[:-1])
    if (ends - starts < 2).any() or not runs[starts + 1].all():
        return None
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        for parity in (1, 2):
            same = runs[start + parity : end : 2]
            np.add.accumulate(same, out=same)
    if runs.min() < 0 or (np.add.reduceat(runs, starts) != pixels).any():
        return None
    return runs, starts


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

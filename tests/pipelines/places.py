"""Boxes that two readings of a file give, compared as plain numbers: there are many thousands."""

from collections.abc import Sequence

PIXELS = 0.01  # boxes agree to so much


def same_place(box: Sequence[float], other: Sequence[float]) -> bool:
    """Return whether two boxes agree; NaN agrees with nothing."""
    return all(abs(one - two) <= PIXELS for one, two in zip(box, other, strict=True))

"""The power of a score to tell matched pairs from shuffled ones, at every threshold."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]  # (N,)


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """The errors at every threshold that makes a difference; a score at or above it passes."""

    thresholds: Scores  # rising
    false_accepts: Scores  # share of shuffled pairs that pass, falling from 1
    false_rejects: Scores  # share of matched pairs that do not pass, rising from 0

    def balanced(self) -> int:
        """Return the index at which the sum of both shares is lowest; the middle one of a tie."""
        total = self.false_accepts + self.false_rejects
        best = np.flatnonzero(total <= total.min() + 1e-12)
        return int(best[len(best) // 2])

    def accepting(self, share: float) -> int:
        """Return the first index at which no more than a share of shuffled pairs passes."""
        return int(np.argmax(self.false_accepts <= share))


def curve(matched: Scores, shuffled: Scores) -> Curve:
    """Return the curve; thresholds lie half way between neighbouring scores and at both ends."""
    scores = np.unique(np.concatenate([matched, shuffled]))
    between = (scores[:-1] + scores[1:]) / 2
    thresholds = np.concatenate([scores[:1], between, np.nextafter(scores[-1:], np.inf)])
    below = np.searchsorted(np.sort(shuffled), thresholds, side="left")
    missed = np.searchsorted(np.sort(matched), thresholds, side="left")
    return Curve(
        thresholds=thresholds,
        false_accepts=1 - below / len(shuffled),
        false_rejects=missed / len(matched),
    )


def roc_area(matched: Scores, shuffled: Scores) -> float:
    """Return the probability that a matched pair scores above a shuffled one; ties count half."""
    ordered = np.sort(shuffled)
    below = np.searchsorted(ordered, matched, side="left")
    not_above = np.searchsorted(ordered, matched, side="right")
    return float((below + not_above).mean() / 2 / len(shuffled))

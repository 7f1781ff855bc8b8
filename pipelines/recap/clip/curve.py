"""The error rates of a score that separates matched from shuffled pairs, at every threshold."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.errors import BuildError

Scores = NDArray[np.float64]  # shape (N,)


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """The error rates at every distinct threshold; scores at or above a threshold pass."""

    thresholds: Scores  # in rising order
    false_accepts: Scores  # share of shuffled pairs that pass, falling from 1
    false_rejects: Scores  # share of matched pairs that fail, rising from 0

    def balanced(self) -> int:
        """Return the index of the lowest sum of both error rates; of a tie, the middle index."""
        total = self.false_accepts + self.false_rejects
        best = np.flatnonzero(total <= total.min() + 1e-12)
        return int(best[len(best) // 2])

    def accepting(self, share: float) -> int:
        """Return the first index at which at most the given share of shuffled pairs passes.

        Raises:
            BuildError: more pass at every threshold.
        """
        if self.false_accepts[-1] > share:
            raise BuildError(
                f"at the highest threshold, {self.thresholds[-1]:.5f}, "
                f"{self.false_accepts[-1]:.2%} of shuffled pairs still pass, expected at most "
                f"{share:.2%}: allow more by --false-accept"
            )
        return int(np.argmax(self.false_accepts <= share))


def curve(matched: Scores, shuffled: Scores, most: float = np.inf) -> Curve:
    """Return the curve of scores; thresholds lie midway between scores, and at both ends.

    Args:
        matched: the scores of matched pairs.
        shuffled: those of shuffled pairs.
        most: the highest score that there can be; thresholds above it are left out.
    """
    scores = np.unique(np.concatenate([matched, shuffled]))
    between = (scores[:-1] + scores[1:]) / 2
    thresholds = np.concatenate([scores[:1], between, np.nextafter(scores[-1:], np.inf)])
    thresholds = thresholds[thresholds <= most]
    below = np.searchsorted(np.sort(shuffled), thresholds, side="left")
    missed = np.searchsorted(np.sort(matched), thresholds, side="left")
    return Curve(
        thresholds=thresholds,
        false_accepts=1 - below / len(shuffled),
        false_rejects=missed / len(matched),
    )


def roc_area(matched: Scores, shuffled: Scores) -> float:
    """Return the probability that matched pairs score above shuffled pairs; ties count half."""
    ordered = np.sort(shuffled)
    below = np.searchsorted(ordered, matched, side="left")
    not_above = np.searchsorted(ordered, matched, side="right")
    return float((below + not_above).mean() / 2 / len(shuffled))

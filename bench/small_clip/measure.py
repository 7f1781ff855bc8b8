"""Measures of a scorer's power to separate true from false captions of drawn crops."""

from collections.abc import Sequence

import numpy as np

from bench.small_clip.crops import Sight, sights
from bench.small_clip.sentences import FIELDS, VALUES, WORDINGS, caption, draw_wordings, falsified
from pipelines.recap.clip.curve import roc_area
from pipelines.recap.clip.scorer import Scorer

WORLD, SCENES, SEED = "held out", 80, 7
_FULL = tuple(wording for wording in WORDINGS if VALUES.keys() <= set(FIELDS[wording]))


def shuffled_area(scorer: Scorer, seen: Sequence[Sight], rng: np.random.Generator) -> float:
    """Return the ROC area of true captions against false captions, taken from other crops."""
    texts = [caption([_FULL[rng.integers(len(_FULL))]], [sight.facts]) for sight in seen]
    order = rng.permutation(len(seen))
    pairs = [
        (sight, texts[other])
        for sight, other in zip(seen, order, strict=True)
        if any(getattr(sight.facts, name) != getattr(seen[other].facts, name) for name in VALUES)
    ]
    return roc_area(
        means(scorer, seen, texts),
        means(scorer, [sight for sight, _ in pairs], [text for _, text in pairs]),
    )


def changed_area(
    scorer: Scorer, seen: Sequence[Sight], rng: np.random.Generator, words: int = 1
) -> float:
    """Return the ROC area of true captions against the same captions with one claim changed."""
    wordings = [draw_wordings(sight.facts, rng, words) for sight in seen]
    true = [[sight.facts] * len(text) for sight, text in zip(seen, wordings, strict=True)]
    false = [falsified(text, sight.facts, rng) for sight, text in zip(seen, wordings, strict=True)]
    return roc_area(
        means(scorer, seen, list(map(caption, wordings, true))),
        means(scorer, seen, list(map(caption, wordings, false))),
    )


def lowered_share(
    scorer: Scorer, seen: Sequence[Sight], rng: np.random.Generator, words: int
) -> float:
    """Return the share of true captions whose score falls if the last sentence turns false."""
    wordings = [draw_wordings(sight.facts, rng, words) for sight in seen]
    true = [[sight.facts] * len(text) for sight, text in zip(seen, wordings, strict=True)]
    false = [
        falsified(text, sight.facts, rng, last=True)
        for sight, text in zip(seen, wordings, strict=True)
    ]
    before = means(scorer, seen, list(map(caption, wordings, true)))
    after = means(scorer, seen, list(map(caption, wordings, false)))
    return float((after < before).mean())


def means(scorer: Scorer, seen: Sequence[Sight], texts: Sequence[str]) -> np.ndarray:
    """Return the mean score of each crop with its text, (N,)."""
    return np.array([score.mean for score in scorer.score([sight.crop for sight in seen], texts)])


def print_measures(scorer: Scorer) -> None:
    """Print all measures of a scorer on crops that the training did not use."""
    seen, rng = list(sights(WORLD, SCENES)), np.random.default_rng(SEED)
    print(f"scorer: {scorer.identity}; {len(seen)} held-out crops")
    print(f"ROC area, true against shuffled captions: {shuffled_area(scorer, seen, rng):.3f}")
    print(f"ROC area, true against one attribute changed: {changed_area(scorer, seen, rng):.3f}")
    share = lowered_share(scorer, seen, rng, words=150)
    print(f"150 words, the last sentence false: lower score for {share:.1%}")

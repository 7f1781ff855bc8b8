"""The interface of scorers, which measure the similarity of captions and crops."""

from collections.abc import Sequence
from typing import Protocol

import msgspec
from PIL import Image


class Score(msgspec.Struct, frozen=True):
    """The score of a caption: cosine similarities between a crop and the caption's sentences."""

    mean: float  # mean over the sentences, weighted by their words
    minimum: float  # that of the least similar sentence


class Scorer(Protocol):
    """The interface of scorers: each measures the similarity of captions and crops."""

    @property
    def identity(self) -> str:
        """The names of model, weights and activation, and what is scored.

        Scores of different identities are not comparable.
        """

    def score(self, crops: Sequence[Image.Image], captions: Sequence[str]) -> list[Score]:
        """Return a score for each crop and its caption, in order."""

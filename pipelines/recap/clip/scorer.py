"""What a scorer is: something that tells how well captions fit crops."""

from collections.abc import Sequence
from typing import Protocol

import msgspec
from PIL import Image


class Score(msgspec.Struct, frozen=True):
    """How well a caption fits: cosine similarities over its windows of whole sentences."""

    mean: float  # decides
    minimum: float


class Scorer(Protocol):
    """Scores crops against captions."""

    @property
    def identity(self) -> str:
        """Model and weights: scores of another identity are not comparable."""

    def score(self, crops: Sequence[Image.Image], captions: Sequence[str]) -> list[Score]:
        """Return a score for each pair."""

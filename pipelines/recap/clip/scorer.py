"""The interface of scorers: they measure how well captions fit crops."""

from collections.abc import Sequence
from typing import Protocol

import msgspec
from PIL import Image


class Score(msgspec.Struct, frozen=True):
    """The fit of a caption to a crop: cosine similarities over its windows of whole sentences."""

    mean: float  # decides whether the caption is kept
    minimum: float


class Scorer(Protocol):
    """A scorer measures how well captions fit crops."""

    @property
    def identity(self) -> str:
        """The name of model and weights: scores of another identity are not comparable."""

    def score(self, crops: Sequence[Image.Image], captions: Sequence[str]) -> list[Score]:
        """Return a score for each pair."""

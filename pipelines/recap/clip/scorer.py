"""The interface of scorers, which measure the similarity of captions and crops."""

from collections.abc import Sequence
from typing import Protocol

import msgspec
from PIL import Image


class Score(msgspec.Struct, frozen=True):
    """The score of a caption: cosine similarities between a crop and windows of the caption."""

    mean: float  # mean over the windows; it decides whether the caption is kept
    minimum: float


class Scorer(Protocol):
    """The interface of scorers: each measures the similarity of captions and crops."""

    @property
    def identity(self) -> str:
        """The name of model and weights; scores of different identities are not comparable."""

    def score(self, crops: Sequence[Image.Image], captions: Sequence[str]) -> list[Score]:
        """Return a score for each crop and its caption, in order."""

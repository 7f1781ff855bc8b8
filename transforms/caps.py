"""The caps of a recipe on regions and phrases, which the step `subsample` applies."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """The caps of a recipe on regions and phrases; a source without a cap is taken whole.

    The cap per image holds for each kind of item: with a cap of 10, an image's sentences are about
    at most 10 regions, its relationships about at most 10, and some regions may be in both.
    """

    per_category: Mapping[str, int] = field(default_factory=dict)  # by source
    per_image: Mapping[str, int] = field(default_factory=dict)  # by source
    min_words: int | None = None  # of a phrase or sentence about one region
    seed: int
    # By source: another source, under whose name the regions are hashed. So a source that is made
    # from the regions of another one takes the same regions as that one.
    drawn_as: Mapping[str, str] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """True where the recipe has any cap."""
        return self.min_words is not None or bool(self.per_category or self.per_image)

    def bind(self, source: str) -> bool:
        """Return whether any cap holds for a source."""
        return self.min_words is not None or source in {*self.per_category, *self.per_image}

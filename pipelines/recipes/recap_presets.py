"""The recipes of `recap` by name: what each sets where no flag does."""

from collections.abc import Mapping
from typing import Any

PAPER, MODERN = "recap_paper", "recap_modern"

# By the name of the recipe: values of fields of `RecapRecipe`, `Captioning` and `Filter`. The
# paper's recipe is made of their defaults.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    PAPER: {},
    MODERN: {"min_side": 32},
}

"""The recipes of `recap` by name: what each sets where no flag does; and names that flags take."""

from collections.abc import Mapping
from typing import Any, Literal

# What is sent about a region: its crop; the whole picture, where it is marked; both, in which the
# crop may be dark outside of the region; or the whole picture as it is, and the region in numbers.
Views = Literal["crop", "whole", "both", "both-masked", "region"]

PAPER, MODERN = "recap_paper", "recap_modern"

# Fields that are set only where a judge is named.
OF_JUDGE = ("judge_min", "judge_sentences")

# By the name of the recipe: values of fields of `RecapRecipe`, `Captioning` and `Filter`. The
# paper's recipe is made of their defaults.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    PAPER: {},
    MODERN: {
        "min_side": 32,
        "views": "both",
        "context": 0.5,
        "global_caption": False,
        "neighbours": True,
        "structured": True,
        "measured_checks": True,
        "max_alike": 0.75,
        "max_opening": 0.2,
        "judge_min": 0.5,
        "judge_sentences": True,
    },
}

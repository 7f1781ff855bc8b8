"""The settings that decide captions, by which a run finds the journals of earlier runs.

The settings of filter, checks and conversations decide no caption. Nor does a limit of tokens that
is or was a default: an answer that ended by itself is the same under both limits, and one that did
not is cut at its last whole sentence. So a run goes on from the journals of a program with other
defaults. A run that gives no temperature or top-p sends none, and goes on from the journals of a
program that sent its own defaults; a run that gives them does not go on from a run that sent none.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from pipelines.plan import Plan
from pipelines.recap.captioning.journal import fingerprint_of

_NOT_DECIDING = {
    *("filter", "min_side"),
    *("max_words", "weights", "captions_per_conversation", "suffix_share"),
}
# Settings of a source that were not recorded at first; they count once they are set.
_LATER = {"complete", "crowds", "frame", "last_part"}
# The default limits of tokens, of the first program and of today's.
_DEFAULTS = {"global_tokens": (256, 512), "region_tokens": (384, 512)}
# The sampling that was sent where none was given.
_SENT_BEFORE = {"temperature": 0.2, "top_p": 1.0}


def caption_settings(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a recipe that decide captions."""
    settings = {key: value for key, value in deciding(recipe).items() if key != "guard"}
    return settings | {"sources": list(map(deciding, recipe.get("sources", ())))}


def deciding(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the deciding ones among settings of a recipe or of a source, as first recorded."""
    absent = {key for key in _LATER if settings.get(key) is None}
    kept = {
        key: value
        for key, value in settings.items()
        if key not in _NOT_DECIDING and key not in absent
    }
    if "min_words" in kept:
        kept["min_words"] = None  # no setting of `recap` was recorded under this name at first
    if isinstance(captioning := kept.get("captioning"), Mapping):
        first = {name: each[0] for name, each in _DEFAULTS.items() if captioning.get(name) in each}
        kept["captioning"] = {**captioning, **first}
        if captioning.get("captioner") == "builtin":  # which samples nothing
            kept["captioning"] = as_sent_before(kept["captioning"])
    return kept


def journal_fingerprints(plan: Plan) -> tuple[str, ...]:
    """Return the digests that name the journals of a run's captions.

    The first one names the journals that are written. Under the others, a program with other
    defaults wrote what today is the same run.
    """
    inputs = [item.sha256 for item in plan.identity.inputs]
    settings = caption_settings(plan.resolved.identity())
    today = tuple(_with_any_default(settings["captioning"]))
    earlier = map(as_sent_before, today)
    return tuple(
        dict.fromkeys(
            fingerprint_of({**settings, "captioning": captioning, "inputs": inputs})
            for captioning in (*today, *earlier)
        )
    )


def as_sent_before(captioning: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings of captioning with what a program sent that sent its own defaults."""
    absent = {name: value for name, value in _SENT_BEFORE.items() if captioning.get(name) is None}
    return {**captioning, **absent}


def _with_any_default(captioning: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield settings of captioning with each combination of default limits, the first one first."""
    limits = [
        defaults if captioning[name] == defaults[0] else (captioning[name],)
        for name, defaults in _DEFAULTS.items()
    ]
    for numbers in product(*limits):
        yield {**captioning, **dict(zip(_DEFAULTS, numbers, strict=True))}

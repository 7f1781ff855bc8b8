"""The settings of a recipe, and the sets of wordings, that decide the records of one source."""

from collections.abc import Collection, Iterator
from typing import Any

from pipelines.recipes.recap import RecapRecipe
from pipelines.recipes.resolve import INPUT_PLACES, MODED, PER_SOURCE, REMARKS, ResolvedRecipe
from prompts.catalog import WORDINGS_OF
from prompts.region_detailed_caption import FURTHER_SETS
from schemas.errors import UsageError
from schemas.manifest import COMMON
from schemas.sample import Task

# Settings by which these tasks alone go; and none does in an evaluation.
_OF_TASKS = {
    "rec_negatives": Task.REFERRING_EXPRESSION_COMPREHENSION,
    "no_box_share": Task.IMAGE_CONVERSATION,
    "plain_captions": Task.IMAGE_CAPTION,
    "captions_per_conversation": Task.MULTI_REGION_CAPTION,
}
_OF_IMAGES = {Task.IMAGE_CONVERSATION, Task.IMAGE_CAPTION}  # whole ones, and no regions
_OF_PHRASES = (Task.REGION_CAPTION, Task.REFERRING_EXPRESSION_COMPREHENSION)
# Settings that stand elsewhere in an identity: as tasks, digests of wordings and of the guard, or
# with the source that they are about.
_ELSEWHERE = {"no_recapd", "wordings", "guard", "weights"}


def settings_of(resolved: ResolvedRecipe, config: str) -> dict[str, Any]:
    """Return the settings on which a config's records depend, as a JSON object.

    A setting that the tasks of the source do not go by is left out.
    """
    recipe, tasks = resolved.recipe, resolved.tasks[config]
    unused = {
        setting for setting, task in _OF_TASKS.items() if recipe.evaluation or task not in tasks
    }
    if len(tasks) == 1:
        unused.add("merge")  # conversations of one task stay apart
    if recipe.evaluation:
        unused.add("max_words")  # a question keeps its conversation
        unused |= set() if MODED in tasks else {"mode"}
    left_out = REMARKS | PER_SOURCE | _ELSEWHERE | unused | set(COMMON)
    common = recipe.model_dump(mode="json", exclude=left_out)
    request = resolved.requests()[config]
    shares = sorted(recipe.weights.get(config, {}).items())
    weights = {str(task): share for task, share in shares if task in tasks and share < 1}
    of_source = request.model_dump(mode="json", exclude=INPUT_PLACES | {"name"})
    return common | of_source | ({"weights": weights} if weights else {})


def check_used(resolved: ResolvedRecipe, stated: Collection[str]) -> None:
    """Raise `UsageError` for a setting by which no source of a recipe goes.

    Args:
        resolved: the recipe.
        stated: the names of the settings that the user states by flags.
    """
    tasks = set().union(*resolved.tasks.values())
    needs = {
        **{setting: (task,) for setting, task in _OF_TASKS.items()},
        "mode": (MODED,),
        "min_words": _OF_PHRASES,
    }
    for setting in sorted(needs.keys() & stated):
        in_vain = resolved.recipe.evaluation and setting in _OF_TASKS
        if in_vain or tasks.isdisjoint(needs[setting]):
            expected = " or ".join(needs[setting])
            raise UsageError(
                f"--{setting.replace('_', '-')} changes nothing here: it is for the task {expected}"
                f"{' of a training mix' if in_vain else ', which no source of this build has'}. "
                "Leave it out"
            )
    for setting, reason in _vain_settings(resolved):
        if setting in stated:
            flag = "no-guard" if setting == "guard" and not resolved.recipe.guard else setting
            raise UsageError(_vain(flag, reason))


def _vain_settings(resolved: ResolvedRecipe) -> Iterator[tuple[str, str]]:
    """Yield each setting that a recipe does not go by, with the reason."""
    recipe = resolved.recipe
    if recipe.evaluation:
        yield "max_words", "an evaluation cuts no conversation"
        yield "no_recapd", "an evaluation takes no captions of `recap`"
        yield "guard", "an evaluation has no split to train on"
    if not any(Task.REGION_DETAILED_CAPTION in (source.tasks or ()) for source in recipe.sources):
        yield "no_recapd", "no source of this build takes captions of `recap`"
    if recipe.merge and max(map(len, resolved.tasks.values())) == 1:
        yield "merge", "no source of this build has more than one task"
    if recipe.wordings:
        used = {name for config in resolved.tasks for name in wordings_of(resolved, config)}
        if used.isdisjoint(recipe.wordings):
            yield "wordings", f"this build uses none of its sets, but: {', '.join(sorted(used))}"


def check_caps(resolved: ResolvedRecipe, flag: str, sources: Collection[str]) -> None:
    """Raise `UsageError` for a cap on regions where no source that it is for has tasks about any.

    Args:
        resolved: the recipe.
        flag: the flag of the cap.
        sources: the names of the sources that it is for.
    """
    requests = resolved.requests()
    about_regions = [
        name
        for name in sources
        if set(resolved.tasks[name]) - _OF_IMAGES or "detections" in requests[name].paths
    ]
    if sources and not about_regions:
        raise UsageError(_vain(flag, f"no task of {', '.join(sources)} is about regions"))


def _vain(flag: str, reason: str) -> str:
    return f"--{flag.replace('_', '-')} changes nothing here: {reason}. Leave it out"


def wordings_of(resolved: ResolvedRecipe, config: str, *, in_parts: bool = False) -> dict[str, str]:
    """Return the digest of each set of wordings that a config's tasks use, by name.

    Args:
        resolved: the recipe.
        config: the config.
        in_parts: whether its regions are described in several parts.
    """
    sets = [wordings for task in resolved.tasks[config] for wordings in WORDINGS_OF[task]]
    if isinstance(resolved.recipe, RecapRecipe):
        sets += resolved.recipe.captioning.request_sets
    sets += FURTHER_SETS if in_parts else ()
    return {
        wordings.name: resolved.instruction.wordings[wordings.name].digest() for wordings in sets
    }

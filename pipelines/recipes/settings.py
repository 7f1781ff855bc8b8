"""The settings of a recipe, and the sets of wordings, that decide the records of one source."""

from collections.abc import Collection
from typing import Any

from pipelines.recipes.recap import CONFIG as RECAPD
from pipelines.recipes.resolve import INPUT_PLACES, MODED, PER_SOURCE, REMARKS, ResolvedRecipe
from prompts import recap
from prompts.catalog import WORDINGS_OF
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
    if "max_words" in stated and resolved.recipe.evaluation:
        raise UsageError(
            "--max-words changes nothing here: an evaluation cuts no conversation. Leave it out"
        )
    if "no_recapd" in stated and resolved.recipe.evaluation:
        raise UsageError(
            "--no-recapd changes nothing here: an evaluation takes no captions of `recap`. "
            "Leave it out"
        )
    if "merge" in stated and resolved.recipe.merge and max(map(len, resolved.tasks.values())) == 1:
        raise UsageError(
            "--merge changes nothing here: no source of this build has more than one task. "
            "Leave it out"
        )


def wordings_of(resolved: ResolvedRecipe, config: str) -> dict[str, str]:
    """Return the digest of each set of wordings that a config's tasks use, by name."""
    sets = [wordings for task in resolved.tasks[config] for wordings in WORDINGS_OF[task]]
    sets += (*recap.SETS, recap.ENDING) if config == RECAPD else ()
    return {
        wordings.name: resolved.instruction.wordings[wordings.name].digest() for wordings in sets
    }

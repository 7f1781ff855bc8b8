"""The settings of a recipe, and the sets of wordings, that decide the records of one source."""

from typing import Any

from pipelines.recipes.recap import CONFIG as RECAPD
from pipelines.recipes.resolve import INPUT_PLACES, PER_SOURCE, REMARKS, ResolvedRecipe
from prompts import recap
from prompts.catalog import WORDINGS_OF
from schemas.manifest import COMMON
from schemas.sample import Task

# Settings by which these tasks alone go; and none does in an evaluation.
_OF_TASKS = {
    "rec_negatives": Task.REFERRING_EXPRESSION_COMPREHENSION,
    "no_box_share": Task.IMAGE_CONVERSATION,
    "plain_captions": Task.IMAGE_CAPTION,
}
# Settings that stand elsewhere in an identity: as tasks, digests of wordings and of the guard.
_ELSEWHERE = {"no_recapd", "wordings", "guard"}


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
    left_out = REMARKS | PER_SOURCE | _ELSEWHERE | unused | set(COMMON)
    common = recipe.model_dump(mode="json", exclude=left_out)
    request = resolved.requests()[config]
    return common | request.model_dump(mode="json", exclude=INPUT_PLACES | {"name"})


def wordings_of(resolved: ResolvedRecipe, config: str) -> dict[str, str]:
    """Return the digest of each set of wordings that a config's tasks use, by name."""
    sets = [wordings for task in resolved.tasks[config] for wordings in WORDINGS_OF[task]]
    sets += recap.SETS if config == RECAPD else ()
    return {
        wordings.name: resolved.instruction.wordings[wordings.name].digest() for wordings in sets
    }

"""The tasks for which a recipe uses a source, and the checks of the tasks' inputs."""

from collections.abc import Collection, Mapping, Sequence

from pipelines.datasets.catalog import dataset
from pipelines.datasets.spec import COMPLETE_TASKS, SourceRequest
from pipelines.recipes.recipe import RECAPD_ROLE, Recipe
from schemas.errors import UsageError
from schemas.sample import Task
from schemas.style import Style

_DETAILED = Task.REGION_DETAILED_CAPTION


def tasks_of(recipe: Recipe, source: SourceRequest) -> tuple[Task, ...]:
    """Return the tasks for which a recipe uses one of its sources.

    Raises:
        UsageError: no task is left, the source does not support a wanted task, or captions or
            detections are missing or not needed.
    """
    known = _known_tasks(recipe, source)
    possible = known if recipe.evaluation else (*known, *dataset(source.name).questions)
    if RECAPD_ROLE in source.paths:
        _check_captions(recipe, source)
        possible = (*possible, _DETAILED)
        known = (*known, _DETAILED)
    wanted = source.tasks or known
    if recipe.no_recapd and not recipe.evaluation:
        wanted = tuple(task for task in wanted if task is not _DETAILED)
    for task in wanted:
        if task is _DETAILED and task not in possible:
            raise UsageError(
                f"recipe {recipe.name!r} describes regions of {source.name!r} in detail: name the "
                "captions that `regionforge recap` made with --recapd DIR, or leave them out with "
                "--no-recapd"
            )
        if task not in possible:
            raise UsageError(
                f"source {source.name!r} cannot be used for {task} here, but for: "
                f"{', '.join(possible)}"
            )
    if not wanted:
        raise UsageError(f"--no-recapd leaves nothing to do with source {source.name!r}")
    _check_detections(recipe, source, wanted)
    _check_complete(source, wanted)
    return wanted


def check_weights(recipe: Recipe, tasks: Mapping[str, Sequence[Task]]) -> None:
    """Raise `UsageError` for a weight of a source or task that a recipe does not have.

    Args:
        recipe: the recipe.
        tasks: the tasks for which the recipe uses each of its sources.
    """
    for source, shares in recipe.weights.items():
        stated = f"recipe {recipe.name!r}: weights"
        if source not in tasks:
            raise UsageError(f"{stated}: no source {source!r}, but: {', '.join(tasks)}")
        for task in shares:
            left_out = recipe.no_recapd and task is _DETAILED
            if task not in tasks[source] and not left_out:
                known = ", ".join(tasks[source])
                raise UsageError(f"{stated}: {source!r} is not used for {task}, but for: {known}")


def _known_tasks(recipe: Recipe, source: SourceRequest) -> tuple[Task, ...]:
    spec = dataset(source.name)
    if recipe.evaluation:
        if not spec.evaluations:
            raise UsageError(f"no evaluation is done on source {source.name!r}")
        return spec.evaluations
    if not spec.tasks.get(recipe.style):
        styles = ", ".join(name for name in Style if spec.tasks.get(name))
        raise UsageError(
            f"source {source.name!r} has no tasks in the {recipe.style} style"
            + (f", but in: {styles}" if styles else ": it is for evaluation only")
        )
    return spec.tasks[recipe.style]


def _check_captions(recipe: Recipe, source: SourceRequest) -> None:
    """Raise `UsageError` for captions of `recap` that a recipe does not use."""
    if recipe.no_recapd:
        raise UsageError(
            "--recapd names detailed captions, and --no-recapd leaves them out: give one"
        )
    if recipe.evaluation:
        raise UsageError("an evaluation takes no captions of `recap`: leave out --recapd")
    if source.tasks and _DETAILED not in source.tasks:
        raise UsageError(
            f"recipe {recipe.name!r} does not describe regions of {source.name!r} in detail: "
            "leave out --recapd"
        )


def _check_detections(recipe: Recipe, source: SourceRequest, wanted: Collection[Task]) -> None:
    """Raise `UsageError` if detections are missing for a task, or are given for another task."""
    choice, given = Task.REFERRING_EXPRESSION_COMPREHENSION, "detections" in source.paths
    chosen = recipe.evaluation and choice in wanted
    if chosen and not given:
        raise UsageError(
            f"recipe {recipe.name!r} matches the sentences of {source.name!r} with a detector's "
            f"boxes: name these with --detections {source.name}=FILE, and their categories with "
            "--detection-names"
        )
    if given and not chosen and choice in dataset(source.name).evaluations:
        raise UsageError(
            f"source {source.name!r} takes detections in an evaluation of {choice} only"
        )


def _check_complete(source: SourceRequest, wanted: Collection[Task]) -> None:
    """Raise `UsageError` where a task needs all objects to be annotated, and nothing says they are.

    That is known of the owner's categories, and not of a user's own file or a set of another name.
    """
    asking = sorted(COMPLETE_TASKS.intersection(wanted))
    other = source.annotations is not None or source.label_set is not None
    if asking and other and not source.complete:
        file = "your own file" if source.annotations is not None else repr(source.label_set)
        raise UsageError(
            f"source {source.name!r}: {' and '.join(asking)} need every object of each category to "
            f"be annotated, which is not known of {file}. Where that is so, say it with --complete "
            f"{source.name} (in a recipe: complete: true); else leave out the task"
        )

"""All that is wrong with a recipe, as far as it can be said without its sources' files.

1. Keys and values by themselves, see `Recipe` and `SourceRequest`.
2. Of what is left when faulty keys are left out: contradictions, and what the sources can do.
"""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from pydantic import ValidationError

from pipelines.datasets.catalog import CATALOG, dataset
from pipelines.datasets.spec import SourceRequest
from pipelines.guard.lists import GUARDED
from pipelines.recipes.fault_words import Fault, Path
from pipelines.recipes.load import key_faults
from pipelines.recipes.recipe import RECAPD_ROLE, Recipe
from pipelines.recipes.resolve import check_mode, check_name, check_sources
from pipelines.recipes.tasks import check_weights, tasks_of
from prompts.catalog import WORDING_SETS
from prompts.wordings import replace_sets
from schemas.errors import UsageError
from schemas.near import near
from schemas.sample import Task

# What flags can add to a source's paths, where its tasks need it.
_BY_FLAGS = {
    "--recapd DIR (or --no-recapd)": RECAPD_ROLE,
    "--detections {}=FILE --detection-names": "detections",
}


class Checked(NamedTuple):
    """What was said of a recipe."""

    faults: list[Fault]
    needs: list[str]  # flags without which no build of it can be, a line each


def check_recipe(stated: Mapping[str, Any]) -> Checked:
    """Return all that is wrong with the fields of a recipe, and the flags that it needs.

    Args:
        stated: the fields, as `load_recipe` returns them.
    """
    faults = key_faults(stated)
    contradictions: list[Fault] = []
    recipe = _usable(stated, faults, contradictions)
    faults += contradictions
    if recipe is None:
        return Checked(faults, [])
    faults += _refusals(("name",), check_name, recipe)
    needs: list[str] = []
    tasks: dict[str, tuple[Task, ...]] = {}
    for number, source in _numbered(stated, recipe):
        path: Path = ("sources", number)
        if source.name not in CATALOG:
            known = near(source.name, CATALOG)
            faults.append(Fault((*path, "name"), f"there is no source {source.name!r}; {known}"))
            continue
        alone = recipe.model_copy(update={"sources": (source,)})
        misfits = list(dataset(source.name).misfits(source))
        faults += [
            Fault((*path, key), f"expected {expected}, not {value!r}")
            for key, value, expected in misfits
        ] or _refusals(path, check_sources, alone)
        faults += _split_faults(source, path)
        tasks[source.name], source_faults, source_needs = _tasks(recipe, source, path)
        faults += source_faults
        needs += source_needs
    faults += _joint_faults(recipe, tasks)
    return Checked(faults, needs)


def _usable(
    stated: Mapping[str, Any], faults: list[Fault], contradictions: list[Fault]
) -> Recipe | None:
    """Return the recipe without its faulty keys and sources; None where none is left."""
    rest = deepcopy(dict(stated))
    for path in sorted({fault.path for fault in faults}, key=len, reverse=True):
        _leave_out(rest, path)
    if isinstance(sources := rest.get("sources"), list):
        rest["sources"] = [source for source in sources if source is not _GONE]
    try:
        return Recipe.model_validate(rest, context=contradictions)
    except ValidationError:
        contradictions.clear()
        return None


_GONE = object()  # in the place of a source that is left out


def _leave_out(rest: dict[str, Any], path: Path) -> None:
    """Leave out the key of a path, or its source where that is without a usable name."""
    match path:
        case ("sources", int(number), str(key), *_) if key != "name":
            if rest["sources"][number] is not _GONE:
                rest["sources"][number].pop(key, None)
        case ("sources", int(number), *_):
            rest["sources"][number] = _GONE
        case (str(key), *_):
            rest.pop(key, None)


def _numbered(stated: Mapping[str, Any], recipe: Recipe) -> Iterator[tuple[int, SourceRequest]]:
    """Yield the usable sources of a recipe with their places in its list."""
    names = [
        source.get("name") if isinstance(source, dict) else None for source in stated["sources"]
    ]
    for source in recipe.sources:
        yield names.index(source.name), source


def _refusals(path: Path, check: Callable[..., object], *args: object) -> list[Fault]:
    """Return what a check of some arguments refuses, as a list of one fault at most."""
    try:
        check(*args)
    except UsageError as error:
        return [Fault(path, str(error))]
    return []


def _split_faults(source: SourceRequest, path: Path) -> Iterator[Fault]:
    """Yield what is wrong with the splits and paths of a source; no file is looked at."""
    if source.annotations is not None:  # the user's own files say which splits there are
        return
    try:
        located = dataset(source.name).locate("", source)
    except UsageError as error:
        yield Fault(path, str(error))
        return
    splits = [each.split for each in located]
    for number, split in enumerate(source.splits or ()):
        if split not in splits:
            known = near(split, splits)
            yield Fault((*path, "splits", number), f"there is no split {split!r}; {known}")
    roles = dict.fromkeys([*(role for each in located for role in each.roles), RECAPD_ROLE])
    for role in source.paths:
        if role not in roles:
            known = near(role, roles)
            yield Fault((*path, "paths", role), f"nothing is called {role!r} there; {known}")


def _tasks(
    recipe: Recipe, source: SourceRequest, path: Path
) -> tuple[tuple[Task, ...], list[Fault], list[str]]:
    """Return the tasks of a source, what is wrong with them, and the flags that they need."""
    try:
        return tasks_of(recipe, source), [], []
    except UsageError as error:
        fault = Fault(path, str(error))
    for flag, role in _BY_FLAGS.items():
        paths = {**source.paths, role: "FILE"}
        try:
            tasks = tasks_of(recipe, source.model_copy(update={"paths": paths}))
        except UsageError:
            continue
        return tasks, [], [flag.format(source.name)]
    return (), [fault], []


def _joint_faults(recipe: Recipe, tasks: Mapping[str, tuple[Task, ...]]) -> Iterator[Fault]:
    """Yield what is wrong with the settings that are about several sources, or about none."""
    if len(tasks) == len(recipe.sources) and all(tasks.values()):
        for source, shares in recipe.weights.items():
            only = recipe.model_copy(update={"weights": {source: shares}})
            yield from _refusals(("weights", source), check_weights, only, tasks)
        every = {task for several in tasks.values() for task in several}
        yield from _refusals(("mode",), check_mode, recipe, every)
    for name, lines in recipe.wordings.items():
        if name in WORDING_SETS:
            yield from _refusals(("wordings", name), replace_sets, WORDING_SETS, {name: lines})
        else:
            known = near(name, WORDING_SETS)
            yield Fault(("wordings", name), f"there is no set of wordings {name!r}; {known}")
    for name, roles in recipe.guard_paths.items():
        for role in roles:
            if role not in GUARDED.get(name, ()):
                known = near(role, GUARDED[name]) if name in GUARDED else near(name, GUARDED)
                text = f"the guard reads no {name}.{role}; {known}"
                yield Fault(("guard_paths", name, role), text)

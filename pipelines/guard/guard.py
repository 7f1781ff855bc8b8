"""The leakage guard of a build: which pictures it keeps out of its splits to train on, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from pipelines.datasets.catalog import dataset
from pipelines.guard.lists import GUARDED, Listed, Places, is_training, read_lists
from pipelines.guard.names import Namesakes
from pipelines.recipes.recipe import Recipe
from schemas.errors import InputFileError, UsageError
from schemas.manifest import GuardList
from schemas.source import SplitInput
from transforms.guard import PictureName


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What a build must keep out of its splits to train on."""

    lists: tuple[GuardList, ...] = ()  # those wanted, missing ones among them
    # How pictures of the splits to train on are called, by source and split.
    picture_names: Mapping[tuple[str, str], PictureName] = field(default_factory=dict)
    forbidden: Mapping[str, str] = field(default_factory=dict)  # name of a picture to its list


def check_guard(guard: Guard, recipe: Recipe) -> None:
    """See that there is a guard, and that no list is missing, nor a part of one.

    Raises:
        UsageError: it is not so; says where a list was expected.
    """
    if not recipe.guard and not recipe.evaluation:
        raise UsageError("--require-guard: the guard is turned off, by --no-guard or the recipe")
    if lacking := [f"{found.name} ({found.missing})" for found in guard.lists if found.missing]:
        raise UsageError(f"--require-guard: lists are missing: {'; '.join(lacking)}")


def load_guard(recipe: Recipe, root: str, splits: tuple[SplitInput, ...]) -> Guard:
    """Return the guard of a build; one that forbids nothing where the recipe wants none.

    A picture is forbidden under all names that are known of it.

    Raises:
        InputFileError: a list cannot be used.
        UsageError: a path was named that no list lies at.
    """
    picture_names = {
        (split.source, split.split): dataset(split.owner or split.source).picture_name
        for split in splits
        if is_training(split.split)
    }
    wanted = recipe.guard and not recipe.evaluation and bool(picture_names)
    _check_paths(recipe, wanted)
    if not wanted:
        return Guard()
    try:
        found = list(read_lists(Places(root, _paths(recipe))))
    except InputFileError as error:
        raise InputFileError(f"{error} Or leave the guard out with --no-guard.") from None
    namesakes = Namesakes(names for listed in found for names in listed.names)
    forbidden: dict[str, str] = {}
    lists = []
    for listed in found:
        names = namesakes.of(listed.pictures)
        lists.append(_entry(listed, names))
        forbidden = dict.fromkeys(names, listed.name) | forbidden
    return Guard(lists=tuple(lists), picture_names=picture_names, forbidden=forbidden)


def _check_paths(recipe: Recipe, wanted: bool) -> None:
    """A path that nothing reads would go unnoticed."""
    for name, paths in recipe.guard_paths.items():
        roles = GUARDED.get(name, ()) if wanted else ()
        for role, path in paths.items():
            if role not in roles:
                known = f"; its lists have the roles {', '.join(roles)}" if roles else ""
                raise UsageError(
                    f"--path {name}.{role}={path}: source {name!r} is not asked for, and no list "
                    f"of the guard is read from there{known}"
                )


def _paths(recipe: Recipe) -> dict[str, Mapping[str, str]]:
    """Return where lists may lie: where sources of the usual year do, and where the user says."""
    paths = {
        source.name: source.paths
        for source in recipe.sources
        if source.year in (None, *dataset(source.name).years[-1:])
    }
    return {**paths, **recipe.guard_paths}


def _entry(listed: Listed, names: frozenset[str]) -> GuardList:
    return GuardList(
        name=listed.name,
        pictures=len(listed.pictures),
        sha256=sha256("\n".join(sorted(names)).encode()).hexdigest() if names else "",
        note=listed.note,
        missing=listed.missing,
    )

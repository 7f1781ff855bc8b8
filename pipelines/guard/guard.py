"""The leakage guard of a build: the evaluation pictures that it keeps out of training splits."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from pipelines.datasets.catalog import dataset
from pipelines.guard.lists import GUARDED, DataRoot, Listed, is_training, read_lists
from pipelines.guard.names import Namesakes
from pipelines.recipes.recipe import Recipe
from schemas.errors import InputFileError, UsageError
from schemas.manifest import GuardList
from schemas.source import SplitInput
from transforms.guard import PictureName


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """The pictures that a build keeps out of its training splits."""

    lists: tuple[GuardList, ...] = ()  # all lists, also lists with missing files
    # The functions that name the pictures of training splits, by source and split; only of sources
    # some of whose pictures may be forbidden.
    picture_names: Mapping[tuple[str, str], PictureName] = field(default_factory=dict)
    forbidden: Mapping[str, str] = field(default_factory=dict)  # names of pictures to lists

    def digests(self, owners: Iterable[str]) -> dict[str, str]:
        """Return the digest of the forbidden names of each given data set that has any."""
        digests = {}
        for owner in owners:
            names = [item for item in self.forbidden.items() if _owner_of(item[0]) == owner]
            if names:
                digests[owner] = sha256(
                    "\n".join(map(" ".join, sorted(names))).encode()
                ).hexdigest()
        return digests


def check_guard(guard: Guard, recipe: Recipe) -> None:
    """Check that the guard is on, and that no file of any list is missing.

    Raises:
        UsageError: the guard is off, or a list lacks files; the message says which ones.
    """
    check_guard_wanted(recipe)
    lacking = [f"{item.name} ({item.missing})" for item in guard.lists if item.missing]
    if lacking:
        raise UsageError(f"--require-guard: lists are missing: {'; '.join(lacking)}")


def check_guard_wanted(recipe: Recipe) -> None:
    """Raise `UsageError` where a recipe for training turns the guard off."""
    if not recipe.guard and not recipe.evaluation:
        raise UsageError("--require-guard: the guard is turned off, by --no-guard or the recipe")


def load_guard(recipe: Recipe, root: str, splits: tuple[SplitInput, ...]) -> Guard:
    """Return the guard of a build; a guard without pictures where the recipe turns it off.

    A picture is forbidden under all of its known names.

    Raises:
        InputFileError: a list cannot be used.
        UsageError: the recipe gives a path for a file that no list reads, or a file is missing.
    """
    training = [split for split in splits if is_training(split.split)]
    wanted = recipe.guard and not recipe.evaluation and bool(training)
    _check_paths(recipe, wanted)
    if not wanted:
        return Guard()
    try:
        read = list(read_lists(DataRoot(root, _paths(recipe))))
    except InputFileError as error:
        raise InputFileError(f"{error} Or leave the guard out with --no-guard.") from None
    namesakes = Namesakes(names for listed in read for names in listed.names)
    forbidden: dict[str, str] = {}
    lists = []
    for listed in read:
        names = namesakes.of(listed.pictures)
        lists.append(_entry(listed, names))
        forbidden = dict.fromkeys(names, listed.name) | forbidden
    owners = set(map(_owner_of, forbidden))
    specs = {
        (split.source, split.split): dataset(split.owner or split.source) for split in training
    }
    picture_names = {
        key: spec.picture_name for key, spec in specs.items() if owners & set(spec.picture_owners)
    }
    return Guard(lists=tuple(lists), picture_names=picture_names, forbidden=forbidden)


def _owner_of(name: str) -> str:
    """Return the data set that a picture's name is from: `coco` of `coco/139`."""
    return name.partition("/")[0]


def _check_paths(recipe: Recipe, wanted: bool) -> None:
    """Raise `UsageError` for a path that no list reads: it would have no effect."""
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
    """Return paths of files by source and role, without sources of another year than the lists."""
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

"""Plan: what a build would read, found out before anything is written."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines import VERSION
from pipelines.captions.manifest import check_captions, locate_captions
from pipelines.datasets.catalog import dataset
from pipelines.datasets.spec import Located, SourceRequest
from pipelines.guard import Guard, load_guard
from pipelines.recipes.recipe import Recipe
from pipelines.shards.options import WriteOptions
from pipelines.storage import files
from schemas import shard
from schemas.columns import BuildStamp
from schemas.errors import UsageError
from schemas.manifest import BuildIdentity, InputFile
from schemas.source import SplitInput

BUILDER = f"regionforge {VERSION}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A build that can start: its recipe, and inputs that are there."""

    recipe: Recipe
    output: str
    splits: tuple[SplitInput, ...]
    guard: Guard
    identity: BuildIdentity

    def write_options(self) -> WriteOptions:
        """Return what the writer needs to know."""
        return WriteOptions(
            output=self.output,
            images=self.recipe.images,
            pictures={(split.source, split.split): split.pictures for split in self.splits},
            stamp=BuildStamp(builder=BUILDER, recipe=self.recipe.name, seed=self.recipe.seed),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A split a source may have, and which of its files and folders are missing."""

    request: SourceRequest
    located: Located
    missing: tuple[str, ...]


def find(root: str, request: SourceRequest) -> list[Found]:
    """Return the splits of a source, with what is missing of each.

    Raises:
        UsageError: a path was given that the source does not read, or a split it does not have.
    """
    splits = dataset(request.name).locate(root, request)
    _check_splits(request, splits)
    named = request.paths.keys() & {located.split for located in splits}
    wanted = request.splits or named or [located.split for located in splits]
    splits = locate_captions(request, splits, wanted)
    _check_paths(request, splits)
    return [
        Found(
            request=request,
            located=located,
            missing=tuple(
                path
                for path in (*located.files.values(), located.pictures)
                if not files.exists(path)
            ),
        )
        for located in splits
        if located.split in wanted
    ]


def _check_splits(request: SourceRequest, splits: Sequence[Located]) -> None:
    known = [located.split for located in splits]
    if unknown := [name for name in request.splits or () if name not in known]:
        raise UsageError(
            f"source {request.name!r} has no split {unknown[0]!r}, but: {', '.join(known)}"
        )


def _check_paths(request: SourceRequest, splits: Sequence[Located]) -> None:
    """A path under a role that does not exist would go unnoticed."""
    for role, path in request.paths.items():
        if all(located.roles.get(role) != path for located in splits):
            known = dict.fromkeys(role for located in splits for role in located.roles)
            raise UsageError(
                f"--path {request.name}.{role}={path}: source {request.name!r} reads nothing "
                f"that is called {role!r}; its roles are: {', '.join(known)}"
            )


def make_plan(recipe: Recipe, root: str, output: str) -> Plan:
    """Return the plan of a build.

    Splits of which nothing is there are left out, as long as the source has another; one that is
    there in part is an error, and so is a source without any.

    Raises:
        UsageError: says which files are missing and where to get them.
    """
    splits = tuple(
        _split_input(recipe, found)
        for request in recipe.sources
        for found in _complete(root, request)
    )
    guard = load_guard(recipe, root, splits)
    inputs = [entry for split in splits for entry in _fingerprints(split)]
    check_captions(recipe, inputs)
    identity = BuildIdentity(
        schema_version=shard.VERSION,
        builder=BUILDER,
        recipe=recipe.identity(),
        inputs=inputs,
        guard=list(guard.lists),
    )
    return Plan(recipe=recipe, output=output, splits=splits, guard=guard, identity=identity)


def _complete(root: str, request: SourceRequest) -> list[Found]:
    found = find(root, request)
    absent = [item for item in found if not request.splits and _is_absent(item, found)]
    present = [item for item in found if item not in absent]
    if broken := [path for item in (present or absent) for path in item.missing]:
        spec = dataset(request.name)
        raise UsageError(
            f"source {request.name!r} is not complete; missing: {', '.join(broken)}. "
            f"Get it from {spec.obtain}; `sources --data-root {root}` lists all that is expected."
        )
    return present


def _is_absent(item: Found, found: Sequence[Found]) -> bool:
    """Tell whether nothing of a split is there, what it shares with other splits aside."""
    shared = Counter(path for other in found for path in _needed(other))
    own = {path for path in _needed(item) if shared[path] == 1}
    return (own or set(item.located.files.values())) <= set(item.missing)


def _needed(found: Found) -> set[str]:
    return {*found.located.files.values(), found.located.pictures}


def _split_input(recipe: Recipe, found: Found) -> SplitInput:
    return SplitInput(
        source=found.request.name,
        split=found.located.split,
        files=found.located.files | _there(found.located.optional),
        pictures=found.located.pictures,
        folder=found.located.folder,
        licence=found.located.licence,
        seed=recipe.seed,
        sizing=recipe.sizing(found.request),
        evaluation=recipe.evaluation,
        label_set=found.request.label_set,
        limit=recipe.limit,
    )


def _there(optional: dict[str, str]) -> dict[str, str]:
    return {role: path for role, path in optional.items() if files.exists(path)}


def _fingerprints(split: SplitInput) -> list[InputFile]:
    entries = []
    for role, path in sorted(split.files.items()):
        sha256, size = files.fingerprint(path)
        name = path.rsplit("/", 1)[-1]
        entries.append(
            InputFile(
                source=split.source,
                split=split.split,
                role=role,
                name=name,
                bytes=size,
                sha256=sha256,
            )
        )
    return entries

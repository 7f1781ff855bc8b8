"""Plan: the files that a build would read, checked before anything is written."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipelines import VERSION
from pipelines.captions.manifest import check_captions, check_recapd, in_parts
from pipelines.datasets.catalog import dataset
from pipelines.datasets.common.index import FileIndex
from pipelines.datasets.spec import COMPLETE_TASKS, Located, SourceRequest
from pipelines.guard import Guard, load_guard
from pipelines.locate import present_edition, present_splits
from pipelines.output.check import Rebuild, check_settings
from pipelines.output.source_state import SourceState
from pipelines.preflight.inputs import Requested, check_inputs
from pipelines.preflight.room import SizeEstimate
from pipelines.recipes.recipe import RECAPD_ROLE, Recipe
from pipelines.recipes.resolve import ResolvedRecipe, resolve
from pipelines.recipes.settings import settings_of, wordings_of
from pipelines.shards.options import InputDigests, SplitKey, WriteOptions
from pipelines.storage import files
from pipelines.storage.digest_thread import DigestThread
from pipelines.storage.file_digests import FileDigests
from schemas import shard
from schemas.columns import BuildStamp
from schemas.layout import MANIFEST
from schemas.manifest import BuildIdentity, InputFile, SourceIdentity
from schemas.source import SplitInput

BUILDER = f"regionforge {VERSION}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A build that can start: its recipe is resolved, and its input files exist."""

    resolved: ResolvedRecipe
    output: str
    splits: tuple[SplitInput, ...]
    guard: Guard
    identity: BuildIdentity
    digests: FileDigests  # of the input files
    estimate: SizeEstimate  # of the output, before anything was read
    remarks: tuple[str, ...] = ()  # on pictures that are missing
    doubts: tuple[str, ...] = ()  # on a user's own annotations
    left_out: tuple[str, ...] = ()  # on splits and editions that are not read: they are missing
    unchecked: tuple[Requested, ...] = ()  # sources that are most likely finished
    inputs: Mapping[SplitKey, InputDigests] = field(default_factory=dict)  # known once it runs
    finished: Mapping[str, SourceState] = field(default_factory=dict)  # configs that are kept
    indexes: dict[str, FileIndex | None] = field(default_factory=dict)  # of files looked at
    spool: str | None = None  # the folder where a local run lets wait what it groups

    @property
    def recipe(self) -> Recipe:
        """The recipe as the user states it."""
        return self.resolved.recipe

    @property
    def unfinished(self) -> tuple[SplitInput, ...]:
        """The splits that are read: those of sources that are not finished."""
        return tuple(split for split in self.splits if split.source not in self.finished)

    def check_rest(self) -> None:
        """Check the inputs of unfinished sources that were not checked when the plan was made.

        Raises:
            InputFileError: a file cannot be used, or the pictures are gone.
        """
        owners = {split.owner or split.source for split in self.unfinished}
        unchecked = [asked for asked in self.unchecked if asked[0].name in owners]
        checked = check_inputs(unchecked, allow_missing=self.recipe.allow_missing)
        self.indexes.update(checked.indexes)

    def write_options(self) -> WriteOptions:
        """Return the options of the shard writer."""
        return WriteOptions(
            output=self.output,
            images=self.recipe.images,
            pictures={(split.source, split.split): split.pictures for split in self.splits},
            stamp=BuildStamp(builder=BUILDER, recipe=self.recipe.name, seed=self.recipe.seed),
            inputs=self.inputs,
            makings={
                config: self.identity.making_digest_of(config, roles=(RECAPD_ROLE,))
                for config in self.identity.sources
            },
            spool=self.spool,
        )


def make_plan(
    recipe: Recipe,
    root: str,
    output: str,
    *,
    digests: FileDigests | None = None,
    rebuild: Rebuild | None = None,
) -> Plan:
    """Return the plan of a build.

    Splits without any existing file are left out, as long as the source has another split and the
    recipe does not name them; an evaluation leaves out those that it names as well, with a remark.
    A split with only some of its files is an error, and so is a source without any split.

    Args:
        recipe: the recipe.
        root: the folder that holds the inputs.
        output: the folder of the output.
        digests: what is known of the input files; None: what the output remembers of them.
        rebuild: what the build replaces in the output, to refuse an output that holds another build
            before inputs are read; None: the output is not looked at.

    Raises:
        BuildError: the settings tell that the output holds another build.
        UsageError: the recipe cannot be built, or files are missing; the message names the files
            and where to get them.
        InputFileError: a file cannot be used, as far as a quick look at it tells.
    """
    recipe, remarks = _with_editions(recipe, root)
    plan = plan_resolved(resolve(recipe), root, output, digests=digests, rebuild=rebuild)
    return replace(plan, left_out=(*plan.left_out, *remarks))


def _with_editions(recipe: Recipe, root: str) -> tuple[Recipe, list[str]]:
    """Return a recipe with the editions that are there, and a remark on each unusual one."""
    chosen = {
        request.name: edition
        for request in recipe.sources
        if (edition := present_edition(root, request)) is not None
    }
    sources = [
        request.model_copy(update={"edition": chosen.get(request.name, request.edition)})
        for request in recipe.sources
    ]
    remarks = [
        f"{name}: {edition} is read, for lack of {dataset(name).editions[0]}"
        for name, edition in chosen.items()
    ]
    return recipe.model_copy(update={"sources": tuple(sources)}), remarks


def plan_resolved(
    resolved: ResolvedRecipe,
    root: str,
    output: str,
    *,
    digests: FileDigests | None = None,
    rebuild: Rebuild | None = None,
) -> Plan:
    """Return the plan of a recipe that is already resolved; see `make_plan`."""
    recipe = resolved.recipe
    requested: list[Requested] = []
    left_out: list[str] = []
    for request in recipe.sources:
        present, absent = present_splits(root, request, some=recipe.evaluation)
        requested.append((request, [_split_input(resolved, request, split) for split in present]))
        left_out += _left_out(request, absent) if recipe.evaluation else ()
    splits = tuple(split for _, several in requested for split in several)
    check_recapd(recipe, output)
    if rebuild is not None:
        check_settings(output, _identity(resolved, splits, [], Guard()), rebuild=rebuild)
    digests = digests or FileDigests.remembered_in(output)
    ended = files.exists(files.join(output, MANIFEST))
    unchanged = [asked for asked in requested if ended and _is_unchanged(asked[1], digests)]
    thread = DigestThread(digests)
    with thread.running():
        checked = check_inputs(
            [asked for asked in requested if asked not in unchanged],
            allow_missing=recipe.allow_missing,
            digests=thread,
        )
    guard = load_guard(recipe, root, splits)
    inputs = [entry for split in splits for entry in _fingerprints(split, digests)]
    check_captions(recipe, inputs)
    return Plan(
        resolved=resolved,
        output=output,
        splits=splits,
        guard=guard,
        identity=_identity(resolved, splits, inputs, guard),
        digests=digests,
        estimate=checked.estimate,
        remarks=checked.remarks,
        doubts=checked.doubts,
        indexes=dict(checked.indexes),
        left_out=tuple(left_out),
        unchecked=tuple(unchanged),
    )


def _left_out(request: SourceRequest, absent: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a remark for each split of an evaluation that is left out, with its missing files."""
    return [
        f"{request.name}: {split} is left out, for lack of {', '.join(missing) or 'its file'}"
        for split, missing in absent.items()
    ]


def _is_unchanged(splits: Iterable[SplitInput], digests: FileDigests) -> bool:
    """Return whether an earlier run of the output has read the same files of a source."""
    return all(digests.is_known(path) for split in splits for path in split.files.values())


def _split_input(resolved: ResolvedRecipe, request: SourceRequest, located: Located) -> SplitInput:
    recipe = resolved.recipe
    optional = {role: path for role, path in located.optional.items() if files.exists(path)}
    return SplitInput(
        source=request.name,
        split=located.split,
        files=located.files | optional,
        pictures=located.pictures,
        folder=located.folder,
        licence=located.licence,
        seed=recipe.seed,
        sizing=resolved.sizing(request.name),
        evaluation=recipe.evaluation,
        label_set=request.label_set,
        own_file=request.annotations is not None,
        crowds=request.crowds,
        frame=request.frame,
        last_part=bool(request.last_part),
        asks_classes=not COMPLETE_TASKS.isdisjoint(resolved.tasks.get(request.name, ())),
        limit=recipe.limit,
    )


def _identity(
    resolved: ResolvedRecipe,
    splits: Iterable[SplitInput],
    inputs: Iterable[InputFile],
    guard: Guard,
) -> BuildIdentity:
    """Return the identity of a build of some splits; `inputs` are their files."""
    names: dict[str, list[str]] = {}
    for split in splits:
        names.setdefault(split.source, []).append(split.split)
    return BuildIdentity(
        schema_version=shard.VERSION,
        builder=BUILDER,
        recipe=resolved.identity(),
        sources={
            config: _source_identity(config, resolved, names, inputs, guard)
            for config in resolved.tasks
        },
        guard=list(guard.lists),
    )


def _source_identity(
    config: str,
    resolved: ResolvedRecipe,
    splits: Mapping[str, list[str]],
    inputs: Iterable[InputFile],
    guard: Guard,
) -> SourceIdentity:
    request = resolved.requests()[config]
    spec = dataset(request.name)
    guarded = any(source == request.name for source, _ in guard.picture_names)
    read = [entry for entry in inputs if entry.source == request.name]
    of_inputs = {"guard": guarded, "splits": splits[request.name]}
    return SourceIdentity(
        builder=BUILDER,
        version=spec.version,
        settings=settings_of(resolved, config) | of_inputs,
        wordings=wordings_of(resolved, config, in_parts=in_parts(request, resolved.recipe)),
        inputs=read,
        guard=guard.digests(spec.picture_owners) if guarded else {},
    )


def _fingerprints(split: SplitInput, digests: FileDigests) -> list[InputFile]:
    entries = []
    for role, path in sorted(split.files.items()):
        sha256, size = digests.of(path)
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

"""Checks of an output of `recap` before a build uses it: it is finished, and it fits the recipe.

Captions refer to regions by id, so captions and regions must come from the same annotations; and
`recap` samples regions as a build of the source does, by the seed, so that the captions are of the
regions that the build takes.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipelines.datasets.spec import Located, SourceRequest
from pipelines.output.reader import read_manifest
from pipelines.recipes.recap import CONFIG, RecapRecipe
from pipelines.recipes.recipe import RECAPD_ROLE, Recipe
from pipelines.recipes.resolve import ResolvedRecipe
from pipelines.storage import files
from schemas.errors import InputFileError, OtherSchemaError, UsageError
from schemas.manifest import InputFile, Manifest, Shard


@dataclass(frozen=True, slots=True, kw_only=True)
class RecapD:
    """A finished output of `recap`."""

    path: str  # the path of its manifest
    manifest: Manifest
    source: str  # the source whose regions the captions describe

    @property
    def recipe(self) -> Mapping[str, Any]:
        """The recipe of the run."""
        return self.manifest.identity.recipe

    @property
    def splits(self) -> list[str]:
        """The splits whose regions the captions describe."""
        return list(dict.fromkeys(shard.split for shard in self.manifest.shards))

    def shards(self, split: str) -> list[tuple[str, Shard]]:
        """Return the shards of a split, in order, each with its path."""
        folder = self.path.rpartition("/")[0]
        ordered = sorted(self.manifest.shards, key=lambda shard: shard.index)
        return [
            (files.join(folder, shard.path), shard) for shard in ordered if shard.split == split
        ]

    def cap(self, key: str) -> int | None:
        """Return a cap of the run by its key, e.g. `per_category`; None if the run had none."""
        number = self.recipe["sources"][0].get(key) or self.recipe.get(key)
        return number if isinstance(number, int) else None

    @property
    def sampled(self) -> bool:
        """True where the run sampled regions by the seed; False where it took all regions."""
        return any(self.cap(key) for key in ("per_category", "per_image", "limit"))


def load_recapd(path: str) -> RecapD:
    """Return the output of `recap` that a manifest describes; its shards are not opened.

    Raises:
        UsageError: there is no such output, or the run is unfinished.
    """
    folder, _, name = path.rpartition("/")
    advice = "name a folder that `regionforge recap` has written to its end"
    try:
        manifest = read_manifest(folder, name)
    except OtherSchemaError as error:
        raise UsageError(f"--recapd: {error}") from None
    except InputFileError as error:
        raise UsageError(f"--recapd: {error}; or {advice}") from None
    match manifest.identity.recipe:
        case {"captioning": {}, "seed": int(), "sources": [{"name": str(source)}]} if all(
            shard.config == CONFIG for shard in manifest.shards
        ):
            return RecapD(path=path, manifest=manifest, source=source)
    raise UsageError(f"--recapd: {path} is of another build, not of `regionforge recap`: {advice}")


def with_captions(sources: Sequence[SourceRequest], path: str) -> tuple[SourceRequest, ...]:
    """Return the sources of a recipe, with the captions added to the source that they describe.

    Args:
        sources: the sources of the recipe.
        path: the path of the manifest of an output of `recap`.

    Raises:
        UsageError: there is no such output, or the source is not among them.
    """
    described = load_recapd(path).source
    if described not in (names := [source.name for source in sources]):
        raise UsageError(
            f"--recapd: the captions are of {described!r}, and the sources: {', '.join(names)}"
        )
    return tuple(
        source.model_copy(update={"paths": {**source.paths, RECAPD_ROLE: path}})
        if source.name == described
        else source
        for source in sources
    )


def locate_captions(
    request: SourceRequest, splits: Sequence[Located], wanted: Collection[str]
) -> list[Located]:
    """Return the splits of a source, with the captions' files added to wanted splits with captions.

    Raises:
        UsageError: the captions are of another source or of other splits, or shards are missing.
    """
    path = request.paths.get(RECAPD_ROLE)
    if path is None:
        return list(splits)
    recapd = load_recapd(path)
    if recapd.source != request.name:
        raise UsageError(f"--recapd: the captions are of {recapd.source!r}, not {request.name!r}")
    described = [split for split in recapd.splits if split in wanted]
    if not described:
        raise UsageError(
            f"--recapd: the captions are of {request.name!r}, {' and '.join(recapd.splits)}, but "
            f"the build reads {' and '.join(sorted(wanted))}"
        )
    for split in described:
        _check_shards(recapd, split)
    return [
        replace(located, optional={**located.optional, RECAPD_ROLE: path})
        if located.split in described
        else located
        for located in splits
    ]


def _check_shards(recapd: RecapD, split: str) -> None:
    """Raise `UsageError` where a shard is missing or has another size than in the manifest."""
    for path, shard in recapd.shards(split):
        try:
            size = files.size_of(path)
        except (OSError, IndexError) as error:
            raise UsageError(f"--recapd: cannot read {path}: {error}") from None
        if size != shard.bytes:
            raise UsageError(
                f"--recapd: {path} has {size} bytes, expected {shard.bytes} as in the manifest: "
                "`regionforge verify` tells what is wrong with the folder"
            )


def in_parts(request: SourceRequest, recipe: Recipe) -> bool:
    """Return whether the captions of a source have several parts: a phrase, attributes, others."""
    if isinstance(recipe, RecapRecipe):
        return recipe.captioning.structured
    path = request.paths.get(RECAPD_ROLE)
    return path is not None and bool(load_recapd(path).recipe["captioning"].get("structured"))


def check_recapd(recipe: Recipe, output: str) -> None:
    """Check outputs of `recap` as far as that goes before inputs are read.

    Args:
        recipe: the recipe of a build.
        output: the folder of the build's output.

    Raises:
        UsageError: regions were sampled with another seed, or the build would replace the captions
            that it reads.
    """
    for recapd in _captions_of(recipe):
        if _real(recapd.path.rpartition("/")[0]) == _real(output):
            raise UsageError(
                f"--recapd and --output are the same folder, {output}: a build would replace the "
                "captions that it reads; choose another --output"
            )
        if recapd.sampled and (seed := recapd.recipe["seed"]) != recipe.seed:
            raise UsageError(
                f"--recapd: the captions are of regions that were drawn with seed {seed}, and the "
                f"build would draw others, with seed {recipe.seed}: give one seed to both"
            )


def check_captions(recipe: Recipe, inputs: Sequence[InputFile]) -> None:
    """Check that captions are of the regions that a recipe takes.

    Args:
        recipe: the recipe of a build.
        inputs: all files that the build reads.

    Raises:
        UsageError: regions come from other annotations.
    """
    for recapd in _captions_of(recipe):
        for theirs, ours in _unlike(recapd.manifest.identity.inputs, inputs):
            raise UsageError(
                f"--recapd: the captions are of other annotations: {theirs.name} with SHA-256 "
                f"{theirs.sha256[:12]}, and the build would read {ours.name} with "
                f"{ours.sha256[:12]} as {ours.role} of {ours.source}/{ours.split}"
            )


def _real(folder: str) -> str:
    return os.path.realpath(folder) if files.is_local(folder) else folder.rstrip("/")


def _captions_of(recipe: Recipe) -> Iterator[RecapD]:
    for source in recipe.sources:
        if (path := source.paths.get(RECAPD_ROLE)) is not None:
            yield load_recapd(path)


def _unlike(
    theirs: Sequence[InputFile], ours: Sequence[InputFile]
) -> Iterator[tuple[InputFile, InputFile]]:
    """Yield a file of `recap` and a file of the build where both have the same role and differ."""
    by_role = {(item.source, item.split, item.role): item for item in ours}
    for item in theirs:
        other = by_role.get((item.source, item.split, item.role))
        if other is not None and other.sha256 != item.sha256:
            yield item, other


def differences(resolved: ResolvedRecipe, source: SourceRequest) -> list[str]:
    """Return the differences in sampling between a run of `recap` and a recipe, a line each."""
    recapd = load_recapd(source.paths[RECAPD_ROLE])
    recipe, caps = resolved.recipe, resolved.caps
    caps_of_both = {
        "regions per category": (caps.per_category.get(source.name), recapd.cap("per_category")),
        "regions per image": (caps.per_image.get(source.name), recapd.cap("per_image")),
        "images per split": (recipe.limit, recapd.cap("limit")),
    }
    lines = [
        f"{what}: `recap` took {theirs:,}, the build takes {ours or 'all'}"
        for what, (ours, theirs) in caps_of_both.items()
        if theirs and theirs != ours
    ]
    if bool(recapd.recipe.get("guard")) != recipe.guard:
        words = {True: "with", False: "without"}
        lines.append(
            f"`recap` ran {words[not recipe.guard]} the guard, the build {words[recipe.guard]} it"
        )
    return lines

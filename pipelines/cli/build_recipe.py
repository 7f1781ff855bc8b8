"""The recipe of a build, made from flags, and from the recipe that `--recipe` names, if any."""

from argparse import Namespace
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pipelines.captions.manifest import with_captions
from pipelines.cli.arguments import (
    KNOWN_NAMES,
    check_flags,
    detection_paths,
    folder,
    from_flags,
    parse_caps,
    parse_paths,
    stated_fields,
)
from pipelines.cli.own_files import OWN_FILE_FLAGS, own_file_fields
from pipelines.datasets.catalog import dataset
from pipelines.datasets.spec import SourceRequest
from pipelines.guard.lists import GUARDED
from pipelines.output.check import Rebuild
from pipelines.recipes.load import load_recipe, load_wordings, make_recipe
from pipelines.recipes.recipe import Recipe
from pipelines.recipes.resolve import resolve
from pipelines.recipes.settings import check_caps, check_used
from pipelines.storage import files
from schemas.errors import UsageError
from schemas.layout import MANIFEST

_COCO_FLAGS = (*OWN_FILE_FLAGS, "coco_year")
# The flags that are not fields of a recipe: about its sources, and about the run of a build.
OTHER_FLAGS = frozenset(
    {
        *("recipe", "source_names", "data_root", "path", "detections", "detection_names"),
        *(
            "recapd",
            "label_set",
            "complete",
            "edition",
            "category_caps",
            "image_caps",
            *_COCO_FLAGS,
        ),
        *("output", "workers", "runner", "rebuild", "update", "dry_run", "require_guard"),
        "source_module",
    }
)


def recipe_of(args: Namespace) -> Recipe:
    """Return the recipe of a build; flags overrule the recipe that `--recipe` names.

    Raises:
        UsageError: a flag or a field of the recipe cannot be used; the message names it.
    """
    check_flags(args, [Recipe], OTHER_FLAGS)
    recipe = make_recipe(load_recipe(args.recipe), args.recipe) if args.recipe else _by_flags(args)
    values = dict(recipe) | stated_fields(args, Recipe)
    if args.wordings:
        values["wordings"] = load_wordings(folder(args.wordings))
    paths = _paths(args, recipe)
    values["sources"] = tuple(
        source.model_copy(update=changes)
        for source, changes in _changes(args, recipe.sources, paths)
    )
    values["guard_paths"] = _guard_paths(recipe, paths)
    if args.recapd:
        manifest = files.join(folder(args.recapd), MANIFEST)
        values["sources"] = with_captions(values["sources"], manifest)
    recipe = from_flags(Recipe, values)
    resolved = resolve(recipe)
    check_used(resolved, stated_fields(args, Recipe))
    names = [source.name for source in recipe.sources]
    for key, given in _caps(args):
        check_caps(resolved, key, parse_caps(key, given, names))
    return recipe


def rebuild_of(args: Namespace, recipe: Recipe) -> Rebuild:
    """Return what `--rebuild` replaces: nothing, everything, or the sources that it names.

    Raises:
        UsageError: the build does not have a named source.
    """
    if isinstance(args.rebuild, bool):
        return args.rebuild
    return sources_to_rebuild(args.rebuild.split(","), recipe)


def sources_to_rebuild(names: Collection[str], recipe: Recipe) -> frozenset[str]:
    """Return the names of sources to replace, or raise `UsageError` for one of no source."""
    known = [source.name for source in recipe.sources]
    if unknown := sorted((chosen := frozenset(names)).difference(known)):
        raise UsageError(
            f"--rebuild {','.join(names)}: this build has no source {unknown[0]!r}, but: "
            f"{', '.join(known)}"
        )
    return chosen


def _by_flags(args: Namespace) -> Recipe:
    names = map(str.strip, args.source_names.split(","))
    return Recipe(sources=tuple(SourceRequest(name=name) for name in names))


def _paths(args: Namespace, recipe: Recipe) -> dict[str, dict[str, str]]:
    """Return the paths in flags by source (or data set of the guard) and role."""
    given = [*args.path, *detection_paths(args.detections, args.detection_names)]
    return parse_paths(given, [*(source.name for source in recipe.sources), *GUARDED])


def _guard_paths(
    recipe: Recipe, paths: Mapping[str, Mapping[str, str]]
) -> dict[str, Mapping[str, str]]:
    sources = {source.name for source in recipe.sources}
    changed = {
        name: {**recipe.guard_paths.get(name, {}), **roles}
        for name, roles in paths.items()
        if name not in sources
    }
    return {**recipe.guard_paths, **changed}


def _changes(
    args: Namespace, sources: Sequence[SourceRequest], paths: Mapping[str, Mapping[str, str]]
) -> list[tuple[SourceRequest, dict[str, Any]]]:
    """Return the sources of a recipe, each with the values of fields from flags."""
    names = [source.name for source in sources]
    if "coco" not in names and (strays := [flag for flag in _COCO_FLAGS if getattr(args, flag)]):
        raise UsageError(f"--{strays[0].replace('_', '-')} goes with the source coco")
    changes: dict[str, dict[str, Any]] = {name: {} for name in names}
    for key, given in _caps(args):
        for name, cap in parse_caps(key, given, names).items():
            changes[name][key] = cap
    for text in args.label_set:
        name, label_set = _label_set(text, args, names)
        changes[name]["label_set"] = label_set
    for name in args.complete:
        if name not in names:
            raise UsageError(
                f"--complete {name!r}: expected a source of this build: {', '.join(names)}"
            )
        changes[name]["complete"] = True
    for text in args.edition:
        name, edition = _of_source("--edition", text, names, [n for n in names if _editions(n)])
        changes[name]["edition"] = edition
    if "coco" in names:
        changes["coco"] |= _coco_fields(args)
    for source in sources:
        changes[source.name] |= _path_fields(args, source, paths.get(source.name, {}))
    return [(source, changes[source.name]) for source in sources]


def _caps(args: Namespace) -> tuple[tuple[str, Sequence[str]], ...]:
    return ("per_category", args.category_caps), ("per_image", args.image_caps)


def _label_set(text: str, args: Namespace, sources: Sequence[str]) -> tuple[str, str]:
    """Return the source and label set in `SOURCE=NAME`; a sole source can be left out."""
    if args.coco_annotations and "=" not in text:
        return "coco", text
    if len(sources) > 1 and "=" not in text:
        takers = [source for source in sources if dataset(source).classifies] or sources
        raise UsageError(f"--label-set {text!r}: say of which source, e.g. {takers[0]}={text}")
    return _of_source("--label-set", text, sources, sources)


def _editions(name: str) -> Sequence[str]:
    return dataset(name).editions


def _of_source(
    flag: str, text: str, sources: Sequence[str], takers: Sequence[str]
) -> tuple[str, str]:
    """Return the source and the name in `SOURCE=NAME`; a sole source can be left out."""
    name, equals, value = text.partition("=")
    if equals and name not in sources:
        raise UsageError(f"{flag} {text!r}: source {name!r} is not asked for")
    if equals:
        return name, value
    if len(takers or sources) > 1:
        first = (takers or sources)[0]
        raise UsageError(f"{flag} {text!r}: say of which source, e.g. {first}={text}")
    return (takers or sources)[0], text


def _coco_fields(args: Namespace) -> dict[str, Any]:
    """Return the fields of the source coco from flags: a release, or a user's annotation files."""
    fields = own_file_fields(args)
    if args.coco_year:
        fields["year"] = args.coco_year
    if "annotations" in fields:
        fields["splits"] = None  # the files are the only splits
        fields["year"] = args.coco_year  # replaces the year of the recipe's release
    return fields


def _path_fields(
    args: Namespace, source: SourceRequest, paths: Mapping[str, str]
) -> dict[str, Any]:
    """Return the fields of a source about paths: the recipe's paths, overruled by flags."""
    stated = dict(source.paths)
    fields: dict[str, Any] = {}
    if args.detection_names and "detections" in paths:
        stated.pop("detection_names", None)
        known = args.detection_names in KNOWN_NAMES
        fields["detection_names"] = args.detection_names if known else None
    return {**fields, "paths": {**stated, **paths}}

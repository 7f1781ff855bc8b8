"""`build`: owners' files to shards, or what that would do."""

import time
from argparse import Namespace
from typing import Any

from pipelines.captions.manifest import add_captions
from pipelines.card.coverage import print_coverage
from pipelines.card.guard import print_guard
from pipelines.card.summary import print_summary
from pipelines.cli.arguments import (
    KNOWN_NAMES,
    detection_paths,
    folder,
    parse_caps,
    parse_paths,
    parse_size,
    processes,
)
from pipelines.cli.dry_run import print_dry_run
from pipelines.datasets.catalog import dataset
from pipelines.guard import check_guard
from pipelines.guard.lists import GUARDED
from pipelines.output.lock import check_output
from pipelines.output.reader import read_ledger
from pipelines.plan import make_plan
from pipelines.recipes.load import load_recipe, load_wordings, make_recipe
from pipelines.recipes.recipe import Recipe
from pipelines.runner.launch import LaunchOptions, launch
from pipelines.runner.progress import QUIET_SECONDS, Ticker
from pipelines.storage import files
from schemas.errors import UsageError
from schemas.layout import MANIFEST

# Flags that say what a recipe says, by the recipe's name for it.
STATED = (
    "style",
    "mode",
    "merge",
    "min_words",
    "rec_negatives",
    "no_box_share",
    "plain_captions",
    "limit",
    "seed",
    "images",
    "guard",
    "no_recapd",
)
COCO_FLAGS = ("coco_annotations", "coco_images", "coco_split", "coco_year")


def run(args: Namespace) -> int:
    """Build shards, or say what a build would do."""
    recipe = recipe_of(args)
    with Ticker("looking at the inputs", patience=QUIET_SECONDS):
        plan = make_plan(recipe, folder(args.data_root), folder(args.output))
    print_guard(plan)
    if args.require_guard:
        check_guard(plan.guard, plan.recipe)
    if args.dry_run:
        check_output(plan.output, plan.identity, rebuild=args.rebuild)
        print_dry_run(plan)
        return 0
    started = time.monotonic()
    options = LaunchOptions(
        runner=args.runner,
        workers=processes(args.workers),
        rebuild=args.rebuild,
        beam_flags=args.beam_flags,
    )
    manifest = launch(plan, options)
    print_summary(plan, manifest, time.monotonic() - started)
    print_coverage(plan, manifest, read_ledger(plan.output))
    return 0


def recipe_of(args: Namespace) -> Recipe:
    """Return the recipe that is named or spelled out by flags; a flag overrules the recipe."""
    found: dict[str, Any] = (
        load_recipe(args.recipe) if args.recipe else {"sources": _named(args.sources)}
    )
    found |= {key: value for key in STATED if (value := getattr(args, key)) is not None}
    if args.shard_size is not None:
        found["shard_bytes"] = parse_size(args.shard_size)
    if args.wordings:
        found["wordings"] = load_wordings(folder(args.wordings))
    sources = _sources(found, args.recipe)
    _add_caps(args, found)
    lists = _add_places(args, sources)
    stated = found.get("guard_paths") or {}
    found["guard_paths"] = stated | {
        name: {**stated.get(name, {}), **own} for name, own in lists.items()
    }
    if args.recapd:
        add_captions(sources, files.join(folder(args.recapd), MANIFEST))
    return make_recipe(found, args.recipe) if args.recipe else Recipe.model_validate(found)


def _sources(found: dict[str, Any], recipe: str) -> list[dict[str, Any]]:
    """Return what a recipe says of its sources, of which flags may say more."""
    match found:
        case {"sources": [{"name": str()}, *_] as sources} if all(map(_is_source, sources)):
            places = found.get("guard_paths")
            if places is None or (
                isinstance(places, dict) and all(isinstance(own, dict) for own in places.values())
            ):
                return list(sources)
            raise UsageError(f"recipe {recipe}: guard_paths: expected paths by data set and role")
    raise UsageError(
        f"recipe {recipe}: sources: expected a list of one at least, each with a name, and with "
        "paths, if any, by their roles"
    )


def _is_source(found: object) -> bool:
    match found:
        case {"name": str(), **others}:
            return isinstance(others.get("paths", {}), dict)
    return False


def _named(sources: str) -> list[dict[str, Any]]:
    return [{"name": dataset(name).name} for name in sources.split(",")]


def _add_caps(args: Namespace, found: dict[str, Any]) -> None:
    """Let caps overrule the recipe's: for one source, or for all."""
    names = [source.get("name") for source in found["sources"]]
    for key in ("per_category", "per_image"):
        for name, number in parse_caps(key, getattr(args, key), names).items():
            for source in found["sources"]:
                if name in (None, source.get("name")):
                    source[key] = number


def _add_places(args: Namespace, sources: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Say where sources lie that do not lie at their usual places; return where lists do."""
    given = [*args.path, *detection_paths(args.detections, args.detection_names)]
    names = [str(source.get("name")) for source in sources]
    paths = parse_paths(given, [*names, *GUARDED])
    for source in sources:
        own = paths.get(str(source.get("name")), {})
        stated = dict(source.get("paths", {}))
        if args.detection_names and "detections" in own:
            stated.pop("detection_names", None)
            known = args.detection_names in KNOWN_NAMES
            source["detection_names"] = args.detection_names if known else None
        source["paths"] = stated | own
        if source.get("name") == "coco":
            _add_coco(args, source)
    if "coco" not in names and (strays := [flag for flag in COCO_FLAGS if getattr(args, flag)]):
        raise UsageError(f"--{strays[0].replace('_', '-')} goes with the source coco")
    for text in args.label_set:
        _name_labels(text, args, sources)
    return {name: own for name, own in paths.items() if name not in names}


def _name_labels(text: str, args: Namespace, sources: list[dict[str, Any]]) -> None:
    """Name the categories of a source, which must be said where there are several."""
    name, equals, label_set = text.partition("=")
    names = {source.get("name") for source in sources}
    if not equals or name not in names:
        label_set, name = text, str(sources[0].get("name"))
        if args.coco_annotations:
            name = "coco"
        elif len(names) > 1:
            raise UsageError(f"--label-set {text!r}: say of which source, e.g. {name}={text}")
    for source in sources:
        if source.get("name") == name:
            source["label_set"] = label_set


def _add_coco(args: Namespace, source: dict[str, Any]) -> None:
    if args.coco_images and not args.coco_annotations:
        raise UsageError("--coco-images goes with --coco-annotations FILE")
    if args.coco_split is not None:
        source["split"] = args.coco_split
    if args.coco_year:
        source["year"] = args.coco_year
    if args.coco_annotations:
        source["annotations"] = folder(args.coco_annotations)
        source["images"] = args.coco_images and folder(args.coco_images)
        source.pop("splits", None)  # the file is the one split there is
        source["year"] = args.coco_year  # a recipe's is the owner's

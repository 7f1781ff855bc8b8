"""`build`: owners' files to shards, or what that would do."""

import time
from argparse import Namespace

from pipelines.commands.arguments import (
    KNOWN_NAMES,
    detection_paths,
    folder,
    parse_paths,
    parse_size,
    processes,
)
from pipelines.datasets.catalog import dataset
from pipelines.datasets.spec import SourceRequest
from pipelines.dry_run import print_dry_run
from pipelines.launch import LaunchOptions, launch
from pipelines.plan import make_plan
from pipelines.recipe import Recipe, load_wordings
from pipelines.summary import print_summary
from schemas.errors import UsageError


def run(args: Namespace) -> int:
    """Build shards, or say what a build would do."""
    plan = make_plan(_recipe(args), folder(args.data_root), folder(args.output))
    if args.dry_run:
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
    return 0


def _recipe(args: Namespace) -> Recipe:
    return Recipe(
        sources=tuple(_source(args, name) for name in args.sources.split(",")),
        style=args.style,
        mode=args.mode,
        per_category=args.per_category,
        per_image=args.per_image,
        min_words=args.min_words,
        rec_negatives=args.rec_negatives,
        without_boxes=args.without_boxes,
        plain_captions=args.plain_captions,
        limit=args.limit,
        seed=args.seed,
        images=args.images,
        shard_bytes=parse_size(args.shard_size),
        wordings=load_wordings(folder(args.wordings)) if args.wordings else {},
    )


def _source(args: Namespace, name: str) -> SourceRequest:
    given = [*args.path, *detection_paths(args.detections, args.detection_names)]
    paths = parse_paths(given, args.sources.split(",")).get(name, {})
    if dataset(name).name != "coco":
        named = args.detection_names in KNOWN_NAMES and "detections" in paths
        names = args.detection_names if named else None
        return SourceRequest(name=name, paths=paths, detection_names=names)
    if args.coco_images and not args.coco_annotations:
        raise UsageError("--coco-images goes with --coco-annotations FILE")
    return SourceRequest(
        name=name,
        year=None if args.coco_annotations else args.coco_year,
        annotations=args.coco_annotations and folder(args.coco_annotations),
        images=args.coco_images and folder(args.coco_images),
        split=args.coco_split,
        label_set=args.label_set,
        paths=paths,
    )

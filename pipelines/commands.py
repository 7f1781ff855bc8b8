"""What each subcommand does; it prints its result and returns the exit status."""

import re
import time
from argparse import Namespace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from pipelines import files
from pipelines.datasets.catalog import CATALOG, dataset
from pipelines.datasets.spec import SourceRequest
from pipelines.demo import run_demo
from pipelines.display import Ticker
from pipelines.dry_run import print_dry_run
from pipelines.launch import LaunchOptions, launch
from pipelines.plan import find, make_plan
from pipelines.preview import build_facts, choose, print_samples, write_page
from pipelines.recipe import Recipe, load_wordings
from pipelines.sample_world import write_world
from pipelines.summary import print_report, print_summary
from pipelines.verify import verify as verify_output
from schemas.errors import UsageError

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|KB|MB|GB)", re.IGNORECASE)
_UNITS = {"b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30}


def sources(args: Namespace) -> int:
    """List the sources and what of them is found."""
    console = Console(highlight=False, soft_wrap=True)
    for spec in CATALOG.values():
        console.print(f"[bold]{spec.name}[/bold]  {spec.title}, {spec.licence}")
        console.print(f"  get it from {spec.obtain}")
        for year in spec.years:
            for found in find(_folder(args.data_root), SourceRequest(name=spec.name, year=year)):
                console.print(f"  {found.located.split} {year}")
                for path in (*found.located.files.values(), found.located.pictures):
                    missing = path in found.missing
                    state = "[red]missing[/red]" if missing else "[green]found  [/green]"
                    console.print(f"    {state} {escape(path)}")
    return 0


def build(args: Namespace) -> int:
    """Build shards, or say what a build would do."""
    plan = make_plan(_recipe(args), _folder(args.data_root), _folder(args.output))
    if args.dry_run:
        print_dry_run(plan)
        return 0
    started = time.monotonic()
    options = LaunchOptions(
        runner=args.runner,
        workers=_positive("--workers", args.workers),
        rebuild=args.rebuild,
        beam_flags=args.beam_flags,
    )
    manifest = launch(plan, options)
    print_summary(plan, manifest, time.monotonic() - started)
    return 0


def verify(args: Namespace) -> int:
    """Verify an output; the status is 0 only if nothing is wrong."""
    with Ticker("verifying") as ticker:
        report = verify_output(
            _folder(args.output),
            workers=_positive("--workers", args.workers),
            image_root=args.image_root and _folder(args.image_root),
            on_progress=lambda done, total: ticker.say(f"{done:,} of {total:,} records"),
        )
    print_report(report)
    return 0 if report.ok else 1


def preview(args: Namespace) -> int:
    """Show some records."""
    output = _folder(args.output)
    count = _positive("-n", args.count)
    records = choose(output, config=args.config, split=args.split, count=count)
    image_root = args.image_root and _folder(args.image_root)
    print_samples(records, Console())
    if args.html:
        write_page(records, Path(args.html), output, build_facts(output), image_root=image_root)
        print(f"wrote {args.html}")
    return 0


def demo(args: Namespace) -> int:
    """Run the demonstration."""
    return run_demo(Path(args.output))


def sample_world(args: Namespace) -> int:
    """Draw the sample world."""
    write_world(Path(args.output), args.size, seed=args.seed)
    print(f"drew the {args.size} sample world in {args.output}")
    return 0


def _recipe(args: Namespace) -> Recipe:
    return Recipe(
        sources=tuple(_source(args, name) for name in args.sources.split(",")),
        style=args.style,
        mode=args.mode,
        per_category=args.per_category,
        per_image=args.per_image,
        limit=args.limit,
        seed=args.seed,
        images=args.images,
        shard_bytes=parse_size(args.shard_size),
        wordings=load_wordings(_folder(args.wordings)) if args.wordings else {},
    )


def _source(args: Namespace, name: str) -> SourceRequest:
    if dataset(name).name != "coco":
        return SourceRequest(name=name)
    if args.coco_images and not args.coco_annotations:
        raise UsageError("--coco-images goes with --coco-annotations FILE")
    return SourceRequest(
        name=name,
        year=None if args.coco_annotations else args.coco_year,
        annotations=args.coco_annotations and _folder(args.coco_annotations),
        images=args.coco_images and _folder(args.coco_images),
        split=args.coco_split,
        label_set=args.label_set,
    )


def parse_size(text: str) -> int:
    """Return a size like `500MB` in bytes; units are powers of 1024."""
    found = _SIZE.fullmatch(text.strip())
    if not found or not (size := int(float(found[1]) * _UNITS[found[2].lower()])):
        raise UsageError(f"--shard-size {text!r}: expected a size such as 500MB or 2GB")
    return size


def _positive(flag: str, number: int) -> int:
    if number < 1:
        raise UsageError(f"{flag} {number}: expected 1 or more")
    return number


def _folder(path: str) -> str:
    if not path:
        raise UsageError("a path is empty, expected the name of a file or folder")
    files.check_reachable(path)
    return path if not files.is_local(path) else (path.rstrip("/") or "/")

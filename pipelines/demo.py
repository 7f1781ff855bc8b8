"""The demonstration: a world drawn on the spot, built, verified and shown."""

import shutil
import time
from pathlib import Path

from rich.console import Console

from pipelines.datasets.catalog import CATALOG
from pipelines.datasets.spec import SourceRequest
from pipelines.launch import LaunchOptions, launch
from pipelines.plan import make_plan
from pipelines.preview import build_facts, choose, write_page
from pipelines.recipe import Recipe
from pipelines.sample_world import write_world
from pipelines.summary import print_summary
from pipelines.verify import verify
from pipelines.verify.report import print_report
from prompts.style import Style
from schemas.errors import UsageError

LABEL_SETS = {"coco": "Shapes-15", "lvis": "Figures-15"}  # what stands for COCO-80 and LVIS
RECORDS_PER_SOURCE = 2  # on the page
MARKER = ".regionforge-demo"


def run_demo(output: Path) -> int:
    """Draw the small world, build all sources in both styles, verify them, write a page.

    Args:
        output: a folder that is empty, missing, or an earlier demo's.

    Returns:
        The exit status: 0 where everything was verified.
    """
    console = Console(highlight=False)
    _empty(output)
    console.rule("1. Drawing a small world (coloured shapes, not real data)")
    world = output / "world"
    write_world(world, "small")
    passed = True
    for step, style in enumerate(Style, start=2):
        console.rule(f"{step}. Building it in the style of {style}")
        shards = str(output / f"shards_{style}")
        started = time.monotonic()
        plan = make_plan(_recipe(style), str(world), shards)
        manifest = launch(plan, LaunchOptions())
        print_summary(plan, manifest, time.monotonic() - started)
        report = verify(shards)
        print_report(report)
        passed = passed and report.ok
    console.rule("4. Showing it")
    shards, page = str(output / f"shards_{Style.REGIONGPT}"), output / "preview.html"
    records = [
        record
        for source in _recipe(Style.REGIONGPT).sources
        for record in choose(shards, config=source.name, count=RECORDS_PER_SOURCE)
    ]
    write_page(records, page, "RegionForge demo", build_facts(shards))
    console.print(f"open {page.resolve()} in a browser")
    return 0 if passed else 1


def _recipe(style: Style) -> Recipe:
    """Return the recipe that takes every source with a task in a style."""
    requests = [
        SourceRequest(name=name, label_set=LABEL_SETS.get(name))
        for name, spec in CATALOG.items()
        if spec.tasks.get(style)
    ]
    return Recipe(sources=tuple(requests), style=style)


def _empty(output: Path) -> None:
    if output.exists() and any(output.iterdir()) and not (output / MARKER).exists():
        raise UsageError(f"{output} holds files of yours; give the demo another --output")
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    (output / MARKER).touch()

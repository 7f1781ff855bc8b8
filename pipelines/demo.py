"""The demonstration: a world drawn on the spot, built, captioned, verified and shown."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from pipelines.datasets.catalog import CATALOG
from pipelines.datasets.spec import SourceRequest
from pipelines.display import Ticker
from pipelines.launch import LaunchOptions, launch
from pipelines.plan import make_plan
from pipelines.preview import build_facts, choose, write_page
from pipelines.recap.builtin import BuiltinCaptioner
from pipelines.recap.calibrate import calibrate
from pipelines.recap.calibration_files import write_findings
from pipelines.recap.clip import ClipScorer
from pipelines.recap.flow import Tools
from pipelines.recap.plan import make_recap_plan
from pipelines.recap.recipe import Captioning, Filter, RecapRecipe
from pipelines.recap.run import run_recap
from pipelines.recap.scorer import Scorer
from pipelines.recipe import Recipe
from pipelines.sample_world import write_world
from pipelines.summary import print_summary
from pipelines.verify import verify
from pipelines.verify.report import print_report
from prompts.style import Style
from schemas.errors import UsageError

LABEL_SETS = {"coco": "Shapes-15", "lvis": "Figures-15"}  # what stands for COCO-80 and LVIS
RECORDS_PER_SOURCE = 2  # on the page
RECAPTIONED = "v3det"  # as in RegionGPT
PAIRS = 500  # to calibrate on, at most
SIDE_BY_SIDE = 8  # images, where no server is waited for
MARKER = ".regionforge-demo"


def run_demo(output: Path) -> int:
    """Draw the small world, build it in both styles, caption it, verify all, write a page.

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
    console.rule(
        "4. Captioning its regions in detail, with the built-in captioner and a small CLIP"
    )
    passed = _recap(console, world, output) and passed
    console.rule("5. Showing it")
    _show(console, output)
    return 0 if passed else 1


def _recap(console: Console, world: Path, output: Path) -> bool:
    """Caption all regions, find a threshold, and keep the captions that reach it."""
    everything = _recap_once(world, output / "recapd_unfiltered", Filter(), None)
    scorer = ClipScorer()
    with Ticker("calibrating:") as ticker:
        findings = calibrate(
            str(everything),
            scorer,
            pairs=PAIRS,
            false_accept=None,
            seed=0,
            on_progress=lambda done, total: ticker.say(f"{done} of {total} pairs"),
        )
    write_findings(findings, str(output / "calibration.json"))
    found = findings.calibration
    console.print(
        f"threshold {found.threshold:.3f}: lets {found.false_accept:.1%} of shuffled captions "
        f"through and loses {found.false_reject:.1%} of the matched ones"
    )
    kept = Filter(threshold=found.threshold, scorer=scorer.identity)
    report = verify(str(_recap_once(world, output / "recapd", kept, ClipScorer)))
    print_report(report)
    return report.ok


def _recap_once(
    world: Path, output: Path, kept: Filter, scorer: Callable[[], Scorer] | None
) -> Path:
    recipe = RecapRecipe(
        sources=(SourceRequest(name=RECAPTIONED),),
        captioning=Captioning(captioner="builtin"),
        filter=kept,
    )
    started = time.monotonic()
    plan = make_recap_plan(recipe, str(world), str(output))
    tools = Tools(captioner=BuiltinCaptioner, scorer=scorer, side_by_side=SIDE_BY_SIDE)
    print_summary(plan, run_recap(recipe, plan, tools), time.monotonic() - started)
    return output


def _show(console: Console, output: Path) -> None:
    shards, page = str(output / f"shards_{Style.REGIONGPT}"), output / "preview.html"
    captions = str(output / "recapd")
    records = [
        record
        for source in _recipe(Style.REGIONGPT).sources
        for record in choose(shards, config=source.name, count=RECORDS_PER_SOURCE)
    ]
    records += choose(captions, count=RECORDS_PER_SOURCE)
    write_page(records, page, "RegionForge demo", build_facts(shards))
    console.print(f"open {page.resolve()} in a browser")


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

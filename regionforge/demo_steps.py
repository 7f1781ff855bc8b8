"""The steps of the demonstration: draw, build, caption, verify and show a world; then training."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from pipelines.captions.manifest import with_captions
from pipelines.card.summary import print_summary
from pipelines.cli.calibrate import report_calibration
from pipelines.cli.scratch_folder import check_marked, mark_folder
from pipelines.datasets.catalog import dataset
from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.preview import build_facts, choose, write_page
from pipelines.recap.captioning.builtin import BuiltinCaptioner
from pipelines.recap.clip.calibrate import CalibrationOptions, calibrate, sample_captions
from pipelines.recap.clip.files import write_calibration
from pipelines.recap.clip.open_clip import ClipScorer
from pipelines.recap.clip.scorer import Scorer
from pipelines.recap.flow import CaptionTools
from pipelines.recap.plan import make_recap_plan
from pipelines.recap.run import run_recap
from pipelines.recipes import recipe_names
from pipelines.recipes.load import load_recipe, make_recipe
from pipelines.recipes.recap import Captioning, Filter, RecapRecipe
from pipelines.recipes.recipe import Recipe
from pipelines.runner.launch import LaunchOptions, launch
from pipelines.runner.progress import Ticker
from pipelines.sample_world import SOURCES, write_world
from pipelines.verify import verify
from pipelines.verify.report import print_report
from regionforge.demo_training import train_and_ask
from schemas.console import Console, result
from schemas.errors import BuildError
from schemas.layout import MANIFEST
from schemas.style import Style

_RECORDS_PER_SOURCE = 2  # records of a source on the page
_RECAPTIONED = "v3det"  # the source to caption, as in RegionGPT
MIX = "regiongpt_finetune"
_DETECTIONS = "refcocog/detections.json"  # path below the world's folder
_PAIRS = 500  # maximum number of pairs for the calibration
_CONCURRENT_IMAGES = 8
MARKER = ".regionforge-demo"


def run_demo(output: Path, max_steps: int | None = None) -> int:
    """Run all steps: draw, build, caption, mix, verify and show a world, and train on another.

    Args:
        output: a folder that is empty, missing, or from an earlier demonstration.
        max_steps: of each stage of training; None: all.

    Returns:
        The exit status: 0 if all outputs were verified, and training went through.
    """
    console = Console()
    _empty(output)
    console.rule("1. Drawing a small world (coloured shapes, not real data)")
    world = output / "world"
    write_world(world, "small")
    passed = True
    for step, style in enumerate(Style, start=2):
        console.rule(f"{step}. Building it in the style of {style}")
        shards = str(output / f"shards_{style}")
        started = time.monotonic()
        plan = make_plan(recipe_of_all(style), str(world), shards)
        manifest = launch(plan, LaunchOptions())
        print_summary(plan, manifest, time.monotonic() - started)
        report = verify(shards)
        print_report(report)
        passed = passed and report.ok
    console.rule(
        "4. Captioning its regions in detail, with the built-in captioner and a small CLIP"
    )
    passed = _recap(world, output) and passed
    console.rule(f"5. The mix {MIX}, with those captions")
    passed = _mix(world, output) and passed
    console.rule("6. Evaluations")
    passed = _evaluations(console, world, output) and passed
    console.rule("7. Showing it")
    _show(output)
    console.rule("8. Training a tiny model, and asking it")
    passed = train_and_ask(console, output, max_steps) and passed
    return 0 if passed else 1


def _recap(world: Path, output: Path) -> bool:
    """Caption all regions, calibrate a threshold, and filter the captions by the threshold."""
    everything = _recap_once(world, output / "recapd_unfiltered", Filter(), None)
    scorer = ClipScorer()
    with Ticker("calibrating:") as ticker:
        options = CalibrationOptions(pairs=_PAIRS)
        calibration_run = calibrate(
            sample_captions(str(everything), options),
            scorer,
            options,
            lambda done, total: ticker.say(f"{done} of {total} pairs"),
        )
    if not report_calibration(calibration_run):
        raise BuildError("the small CLIP gave no threshold to filter by")
    write_calibration(calibration_run, str(output / "calibration.json"))
    calibration = calibration_run.calibration
    filtering = Filter(threshold=calibration.threshold, scorer=scorer.identity)
    report = verify(str(_recap_once(world, output / "recapd", filtering, ClipScorer)))
    print_report(report)
    return report.ok


def _recap_once(
    world: Path, output: Path, filtering: Filter, scorer: Callable[[], Scorer] | None
) -> Path:
    recipe = RecapRecipe(
        sources=(SourceRequest(name=_RECAPTIONED),),
        captioning=Captioning(captioner="builtin"),
        filter=filtering,
    )
    started = time.monotonic()
    plan = make_recap_plan(recipe, str(world), str(output))
    tools = CaptionTools(
        captioner=BuiltinCaptioner, scorer=scorer, concurrent_images=_CONCURRENT_IMAGES
    )
    print_summary(plan, run_recap(recipe, plan, tools), time.monotonic() - started)
    return output


def _mix(world: Path, output: Path) -> bool:
    """Build a training mix that includes the kept captions."""
    shards, started = str(output / MIX), time.monotonic()
    plan = make_plan(_named_recipe(MIX, world, output), str(world), shards)
    print_summary(plan, launch(plan, LaunchOptions()), time.monotonic() - started)
    report = verify(shards)
    print_report(report)
    return report.ok


def _evaluations(console: Console, world: Path, output: Path) -> bool:
    """Build every evaluation recipe of the package."""
    passed = True
    for name in _evaluation_names():
        shards = str(output / name)
        launch(make_plan(_named_recipe(name, world, output), str(world), shards), LaunchOptions())
        report = verify(shards)
        console.print(f"{name}: ", end="")
        print_report(report)
        passed = passed and report.ok
    return passed


def _evaluation_names() -> list[str]:
    return [name for name in recipe_names() if load_recipe(name).get("evaluation")]


def _named_recipe(name: str, world: Path, output: Path) -> Recipe:
    """Return a recipe of the package with the label sets, captions and detections of the world."""
    recipe = make_recipe(load_recipe(name), name)
    sources = tuple(
        source.model_copy(update={"label_set": SOURCES[source.name]}) for source in recipe.sources
    )
    if name == MIX:
        sources = with_captions(sources, str(output / "recapd" / MANIFEST))
    if name == "eval_rec":
        changes = {"paths": {"detections": str(world / _DETECTIONS)}, "detection_names": "coco"}
        sources = tuple(source.model_copy(update=changes) for source in sources)
    return recipe.model_copy(update={"sources": sources})


def _show(output: Path) -> None:
    shards, page = str(output / f"shards_{Style.REGIONGPT}"), output / "preview.html"
    captions = str(output / "recapd")
    records = [
        record
        for source in recipe_of_all(Style.REGIONGPT).sources
        for record in choose(shards, config=source.name, count=_RECORDS_PER_SOURCE)
    ]
    records += choose(captions, count=_RECORDS_PER_SOURCE)
    records += choose(str(output / MIX), config=_RECAPTIONED, count=_RECORDS_PER_SOURCE)
    for name in _evaluation_names():
        records += choose(str(output / name), config=name, count=1)
    write_page(records, page, "RegionForge demo", build_facts(shards))
    result(f"open {page.resolve()} in a browser")


def recipe_of_all(style: Style) -> Recipe:
    """Return a recipe with every source of the sample world that has a task in a style."""
    requests = [
        SourceRequest(name=name, label_set=label_set)
        for name, label_set in SOURCES.items()
        if dataset(name).tasks.get(style)
    ]
    return Recipe(sources=tuple(requests), style=style)


def _empty(output: Path) -> None:
    check_marked(output, MARKER)
    shutil.rmtree(output, ignore_errors=True)
    mark_folder(output, MARKER)

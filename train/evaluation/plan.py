"""The plan of an evaluation: what a command line states, checked before any work."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from model.regions import RegionAs
from schemas.errors import UsageError
from schemas.predictions import RUN, read_run
from train.data.build import Build
from train.data.rows import ShardRows
from train.evaluation.asking import Asking
from train.evaluation.benchmarks import BENCHMARKS, Benchmark, Options, benchmark_named
from train.evaluation.judged import JudgedFile, check_judged, read_judged_files
from train.evaluation.metrics.encoder import SentenceEncoder
from train.evaluation.metrics.meteor import meteor, meteor_absence
from train.evaluation.selection import Selection, image_root, open_rows
from train.plan import device_named
from train.start import FINAL, RECORD, Start, read_config

if TYPE_CHECKING:  # it needs the extra `clip`
    from train.evaluation.baseline.clip import ClipClassifier

FOLDER = "evaluation"
_BATCH, _WORKERS = 16, 2
_CLIP = ("ViT-L-14-336", "openai")  # of the papers


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Whose answers to which questions are scored, and where the report goes."""

    config: str
    benchmark: Benchmark
    output: Path
    selection: Selection | None = None  # None: there are judged files alone
    asking: Asking | None = None  # None: the predictions are a baseline's, or in a file
    baseline: "ClipClassifier | None" = None
    predictions: Path | None = None
    judged: Sequence[JudgedFile] = ()
    options: Options = field(default_factory=Options)


def make_plan(args: argparse.Namespace) -> Plan:
    """Return the plan that a command line states.

    Raises:
        RegionForgeError: it cannot be carried out; the message names the flag or the file.
    """
    benchmark = benchmark_named(args.config)
    selection = None
    if args.checkpoint or args.baseline or args.predictions:
        selection = _selection(args)
    judged = read_judged_files(benchmark.judge, args.judged) if benchmark.judge else []
    predictions = None
    if args.predictions is not None:
        assert selection is not None
        predictions = _predictions(Path(args.predictions), selection.build)
        check_judged(judged, predictions)
    return Plan(
        config=args.config,
        benchmark=benchmark,
        output=_output(args),
        selection=selection,
        asking=_asking(args, benchmark, selection) if args.checkpoint and selection else None,
        baseline=_baseline(args) if args.baseline else None,
        predictions=predictions,
        judged=judged,
        options=_options(args),
    )


def _options(args: argparse.Namespace) -> Options:
    """Return the options of metrics.

    Raises:
        InputFileError: the encoder is not the one that is meant.
    """
    return Options(
        encoder=None if args.encoder is None else SentenceEncoder(Path(args.encoder)),
        colon_rule=args.colon_rule or "osprey",
        meteor=None if meteor_absence() else meteor,
        grouped=args.grouped,
    )


def _selection(args: argparse.Namespace) -> Selection:
    """Return the questions that are meant, of a build of the right recipe."""
    build = Build.open(Path(args.shards))
    recipe = build.manifest.identity.recipe.get("name")
    if recipe != args.config and recipe in BENCHMARKS:
        raise UsageError(f"{build.folder} is a build of {recipe}: --config {recipe}")
    splits, rows = open_rows(build, args.split)
    return Selection(
        build=build,
        rows=rows,
        splits=splits,
        limit=args.limit,
        seed=args.seed or 0,
        image_root=image_root(args.image_root, build, needed=args.predictions is None),
    )


def _predictions(path: Path, build: Build) -> Path:
    """Return a file of predictions, which is of this build as far as is known."""
    if (record := path.with_name(RUN)).is_file():
        run = read_run(record)
        if run.manifest != build.digest:
            raise UsageError(
                f"{record}: the predictions were made on another build of {run.config} than "
                f"{build.folder}: their manifests differ"
            )
    return path


def _output(args: argparse.Namespace) -> Path:
    """Return the folder of the report."""
    if args.output is not None:
        output = Path(args.output)
        if output.exists() and not output.is_dir():
            raise UsageError(f"--output {output}: not a folder; name another one")
        return output
    if file := args.predictions or (args.judged and not args.checkpoint and args.judged[0]):
        return Path(file).parent
    path = Path(args.checkpoint or "")
    if args.checkpoint is None:
        raise UsageError("--output DIR is missing: the folder of the report")
    if not path.is_dir():
        raise UsageError(
            f"--checkpoint {args.checkpoint}: there is no such folder; for a model on the Hub, "
            "name the folder of the report by --output"
        )
    if path.resolve().name == FINAL and (path.resolve().parent / RECORD).is_file():
        path = path.resolve().parent
    if (run := path.resolve().parent.parent / RECORD).is_file() and not (path / RECORD).is_file():
        return run.parent / FOLDER / path.resolve().name / args.config
    return path / FOLDER / args.config


def _baseline(args: argparse.Namespace) -> "ClipClassifier":
    """Return the classifier of crops.

    Raises:
        UsageError: it cannot be loaded.
    """
    from train.evaluation.baseline.clip import ClipClassifier

    model = args.clip_model or _CLIP[0]
    weights = args.clip_weights or ("" if args.clip_model else _CLIP[1])
    return ClipClassifier(model, weights, device_named(args.device))


def _asking(args: argparse.Namespace, benchmark: Benchmark, selection: Selection) -> Asking:
    """Return the model, and the way in which it is asked."""
    likelihood = benchmark.form == "likelihood"
    start = Start(checkpoint=args.checkpoint)
    device = device_named(args.device)
    usual = "float32" if device.type == "cpu" else "bfloat16"
    takes_masks = hasattr(read_config(start), "region_grid")
    return Asking(
        start=start,
        device=device,
        dtype=getattr(torch, args.dtype or usual),
        form=benchmark.form,
        region_as=_region_as(args, benchmark, selection.rows, takes_masks=takes_masks),
        batch=1 if likelihood else args.batch or _BATCH,
        max_new_tokens=args.max_new_tokens or benchmark.max_new_tokens,
        choices=args.choice_likelihood,
        workers=_WORKERS if args.workers is None else args.workers,
    )


def _region_as(
    args: argparse.Namespace, benchmark: Benchmark, rows: ShardRows, *, takes_masks: bool
) -> RegionAs:
    """Return the form in which the model gets regions.

    Raises:
        UsageError: the model, the build or the benchmark does not have this form.
    """
    needs_masks = benchmark.masks or args.regions == "mask"
    if needs_masks and not takes_masks:
        raise UsageError(f"{args.checkpoint}: the model takes boxes, no masks: --regions box")
    if benchmark.masks and args.regions == "box":
        raise UsageError(f"--config {args.config} is about masks: leave out --regions box")
    if args.regions == "box" or not takes_masks or not benchmark.regions:
        return "box"
    masks = any(region["mask"] for row in rows.columns(["regions"]) for region in row["regions"])
    if needs_masks and not masks:
        raise UsageError(f"{args.shards}: no region has a mask: --regions box")
    return "mask" if masks else "box"

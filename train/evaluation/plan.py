"""The plan of an evaluation: what a command line states, checked before any work."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from model.regions import RegionAs
from schemas.errors import InputFileError, UsageError
from schemas.predictions import RUN, read_run
from train.data.build import Build
from train.data.rows import ShardRows
from train.evaluation.asking import Asking
from train.evaluation.benchmarks import BENCHMARKS, Benchmark, Options, benchmark_named
from train.evaluation.metrics.encoder import SentenceEncoder
from train.evaluation.metrics.meteor import meteor, meteor_absence
from train.plan import device_named
from train.start import FINAL, RECORD, Start, read_config

FOLDER = "evaluation"
_BATCH, _WORKERS = 16, 2
# Flags of a model that replies, by their names in the command line's namespace.
_OF_MODEL = (
    "regions",
    "batch",
    "max_new_tokens",
    "choice_likelihood",
    "image_root",
    "device",
    "dtype",
    "workers",
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Whose answers to which questions are scored, and where the report goes."""

    config: str
    benchmark: Benchmark
    build: Build
    rows: ShardRows
    output: Path
    splits: tuple[str, ...]
    limit: int | None = None  # pictures
    seed: int = 0
    asking: Asking | None = None  # None: there are predictions
    predictions: Path | None = None
    options: Options = field(default_factory=Options)


def make_plan(args: argparse.Namespace) -> Plan:
    """Return the plan that a command line states.

    Raises:
        RegionForgeError: it cannot be carried out; the message names the flag or the file.
    """
    benchmark = benchmark_named(args.config)
    if (args.checkpoint is None) == (args.predictions is None):
        raise UsageError("name a model by --checkpoint, or a file by --predictions; one of them")
    _check_taken(args, benchmark)
    build = Build.open(Path(args.shards))
    _check_recipe(build, args.config)
    if args.seed is not None and args.limit is None:
        raise UsageError("--seed chooses the pictures of --limit: name that too, or leave out both")
    splits, rows = _open_rows(build, args.split)
    predictions = _predictions(args, build)
    return Plan(
        config=args.config,
        benchmark=benchmark,
        build=build,
        rows=rows,
        output=_output(args),
        splits=splits,
        limit=args.limit,
        seed=args.seed or 0,
        asking=None if predictions else _asking(args, benchmark, build, rows),
        predictions=predictions,
        options=_options(args),
    )


def _check_taken(args: argparse.Namespace, benchmark: Benchmark) -> None:
    """Raise UsageError for a flag that acts with other benchmarks alone."""
    for name in sorted(set().union(*(each.takes for each in BENCHMARKS.values()))):
        if getattr(args, name) and name not in benchmark.takes:
            takers = [key for key, each in BENCHMARKS.items() if name in each.takes]
            raise UsageError(
                f"--config {args.config} takes no {_flag(name)}, but {', '.join(takers)}"
            )


def _options(args: argparse.Namespace) -> Options:
    """Return the options of metrics.

    Raises:
        InputFileError: the encoder is not the one that is meant.
    """
    encoder = None if args.encoder is None else SentenceEncoder(Path(args.encoder))
    return Options(
        encoder=encoder,
        colon_rule=args.colon_rule or "osprey",
        meteor=None if meteor_absence() else meteor,
        grouped=args.grouped,
    )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _check_recipe(build: Build, config: str) -> None:
    """Raise UsageError where a build is that of another benchmark."""
    recipe = build.manifest.identity.recipe.get("name")
    if recipe != config and recipe in BENCHMARKS:
        raise UsageError(f"{build.folder} is a build of {recipe}: --config {recipe}")


def _open_rows(build: Build, asked: Sequence[str] | None) -> tuple[tuple[str, ...], ShardRows]:
    known = sorted({shard.split for shard in build.manifest.filled()})
    splits = tuple(dict.fromkeys(asked or known))
    rows = ShardRows(build, [shard for split in splits for shard in build.shards(split)])
    if not any(row["evaluation"] for row in rows.columns(["evaluation"])):
        raise InputFileError(
            f"{build.folder}: no record is asked about: expected the build of an evaluation's "
            "recipe, e.g. `regionforge build --recipe eval_pope`"
        )
    return splits, rows


def _predictions(args: argparse.Namespace, build: Build) -> Path | None:
    """Return the file of predictions, which is of this build as far as is known."""
    if args.predictions is None:
        return None
    for name in _OF_MODEL:
        if getattr(args, name):
            raise UsageError(f"--predictions takes no {_flag(name)}: no model replies")
    path = Path(args.predictions)
    if not path.is_file():
        raise UsageError(f"--predictions {path}: no such file")
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
    if args.predictions is not None:
        return Path(args.predictions).parent
    path = Path(args.checkpoint)
    if not path.is_dir():
        raise UsageError("--output DIR is needed for a model that lies in no folder here")
    if path.resolve().name == FINAL and (path.resolve().parent / RECORD).is_file():
        path = path.resolve().parent
    if (run := path.resolve().parent.parent / RECORD).is_file() and not (path / RECORD).is_file():
        return run.parent / FOLDER / path.resolve().name / args.config
    return path / FOLDER / args.config


def _asking(
    args: argparse.Namespace, benchmark: Benchmark, build: Build, rows: ShardRows
) -> Asking:
    """Return the model, and the way in which it is asked."""
    likelihood = benchmark.form == "likelihood"
    for name, unused, why in (
        ("regions", not benchmark.regions, "its questions are about no regions"),
        ("batch", likelihood, "its questions are answered one by one"),
        ("max_new_tokens", likelihood, "its answers are chosen, not generated"),
    ):
        if unused and getattr(args, name) is not None:
            raise UsageError(f"--config {args.config} takes no {_flag(name)}: {why}")
    start = Start(checkpoint=args.checkpoint)
    device = device_named(args.device)
    usual = "float32" if device.type == "cpu" else "bfloat16"
    takes_masks = hasattr(read_config(start), "region_grid")
    return Asking(
        start=start,
        device=device,
        dtype=getattr(torch, args.dtype or usual),
        form=benchmark.form,
        region_as=_region_as(args, benchmark, rows, takes_masks=takes_masks),
        batch=1 if likelihood else args.batch or _BATCH,
        max_new_tokens=args.max_new_tokens or benchmark.max_new_tokens,
        choices=args.choice_likelihood,
        image_root=_image_root(args.image_root, build),
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


def _image_root(named: str | None, build: Build) -> Path | None:
    """Return the folder of referenced pictures, if the build has references."""
    if build.manifest.identity.recipe.get("images") != "reference":
        if named is not None:
            raise UsageError("--image-root: the shards hold the pictures themselves: leave it out")
        return None
    if named is None:
        raise UsageError("the shards hold references to pictures: name their folder, --image-root")
    if not (folder := Path(named)).is_dir():
        raise UsageError(f"--image-root {folder}: no such folder")
    return folder

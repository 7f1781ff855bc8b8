"""The checks of `evaluate`'s flags; nothing heavy is imported, so that they come first."""

import argparse
from collections.abc import Sequence

from schemas.errors import UsageError
from schemas.hub_name import check_model_name
from train.evaluation.benchmarks import BENCHMARKS, Benchmark, benchmark_named
from train.named_files import check_file, check_folder

# Flags by what they need, by their names in the command line's namespace.
_OF_MODEL = (
    "regions",
    "batch",
    "max_new_tokens",
    "choice_likelihood",
    "device",
    "dtype",
    "workers",
)
_WHOSE = ("checkpoint", "baseline", "predictions")
_OF_QUESTIONS = ("shards", "split", "limit", "seed", "image_root")


def check_evaluate(args: argparse.Namespace) -> None:
    """Check flags before torch is imported, which takes seconds.

    Raises:
        UsageError: a flag is wrong by itself, for its benchmark, or beside the others.
    """
    benchmark = benchmark_named(args.config)
    _check_answers(args)
    _check_flags(args, benchmark)
    check_folder("--shards", args.shards)
    check_folder("--image-root", args.image_root)
    check_folder("--encoder", args.encoder)
    for path in (*args.judged, args.predictions):
        check_file("--judged" if path in args.judged else "--predictions", path)
    if args.checkpoint is not None:
        check_model_name(args.checkpoint)


def _check_flags(args: argparse.Namespace, benchmark: Benchmark) -> None:
    """Raise UsageError for flags that do not fit the benchmark, or each other."""
    for name in sorted(set().union(*(each.takes for each in BENCHMARKS.values()))):
        if getattr(args, name) and name not in benchmark.takes:
            takers = [key for key, each in BENCHMARKS.items() if name in each.takes]
            _refuse(args, name, f"only {', '.join(takers)}")
    likelihood = benchmark.form == "likelihood"
    for name, unused, why in (
        ("regions", not benchmark.regions, "its questions are about no regions"),
        ("batch", likelihood, "its questions are answered one by one"),
        ("max_new_tokens", likelihood, "its answers are chosen, not generated"),
    ):
        if unused and getattr(args, name) is not None:
            _refuse(args, name, why)
    if args.seed is not None and args.limit is None:
        raise UsageError("--seed chooses the pictures of --limit: name that too, or leave out both")


def _check_answers(args: argparse.Namespace) -> None:
    """Raise UsageError where it is not clear whose answers are scored, or for flags without use."""
    named = [f"--{name}" for name in _WHOSE if getattr(args, name)]
    if len(named) > 1:
        raise UsageError(f"{' and '.join(named)}: name one, whose answers are scored")
    if not (named or args.judged):
        raise UsageError("name a model by --checkpoint, or a file of its answers by --predictions")
    if not args.checkpoint:
        names = [name for name in _OF_MODEL if not (args.baseline and name == "device")]
        _check_absent(args, names, "it is for a model, --checkpoint")
    if not args.baseline:
        _check_absent(args, ("clip_model", "clip_weights"), "it is for --baseline clip")
    if not named:
        _check_absent(args, _OF_QUESTIONS, "it is for answers; there are judged files alone")
    elif not args.shards:
        raise UsageError("--shards DIR is missing: the build whose questions are answered")


def _check_absent(args: argparse.Namespace, names: Sequence[str], why: str) -> None:
    for name in names:
        if getattr(args, name) not in (None, False):
            raise UsageError(f"{_flag(name)}: {why}")


def _refuse(args: argparse.Namespace, name: str, why: str) -> None:
    raise UsageError(f"--config {args.config} takes no {_flag(name)}: {why}")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"

"""Checks of a command line before its inputs are read, and of the disk before a build."""

from argparse import Namespace
from dataclasses import replace

from pipelines.cli.arguments import processes
from pipelines.guard.guard import check_guard_wanted
from pipelines.output.check import Rebuild
from pipelines.plan import Plan
from pipelines.preflight.room import check_room
from pipelines.recipes.recipe import Recipe
from pipelines.runner.launch import LaunchOptions, check_launch
from pipelines.runner.remote import LOCAL_RUNNERS
from schemas.console import notice
from schemas.errors import UsageError


def launch_options(args: Namespace, rebuild: Rebuild) -> LaunchOptions:
    """Return the options of a build's run from flags.

    Args:
        args: a parsed command line.
        rebuild: what of an existing build is replaced, see `rebuild_of`.

    Raises:
        UsageError: a flag cannot be used, or the runner does not exist or lacks flags.
    """
    if args.update and rebuild is True:
        raise UsageError("--update keeps shards, and --rebuild none: leave one of them out")
    return replace(engine_options(args), rebuild=rebuild, update=args.update, fork=True)


def engine_options(args: Namespace) -> LaunchOptions:
    """Return where a run takes place, by flags.

    Raises:
        UsageError: a flag cannot be used, or the runner does not exist or lacks flags.
    """
    if args.workers is not None and args.runner not in LOCAL_RUNNERS:
        raise UsageError(
            f"--workers {args.workers} is for local runs: leave it out, for --runner {args.runner} "
            "decides by itself and by Beam's own flags, such as --max_num_workers"
        )
    options = LaunchOptions(
        runner=args.runner,
        workers=1 if args.workers is None else processes(args.workers),
        beam_flags=args.beam_flags,
    )
    check_launch(options)
    return options


def check_guard_flags(args: Namespace, recipe: Recipe) -> None:
    """Raise `UsageError` where `--require-guard` asks for a guard that is off or has no use."""
    if args.require_guard and recipe.evaluation:
        raise UsageError(
            "--require-guard changes nothing here: an evaluation has no split to train on. "
            "Leave it out"
        )
    if args.require_guard:
        check_guard_wanted(recipe)


def print_warnings(plan: Plan, options: LaunchOptions) -> None:
    """Print what is missing or doubtful among the inputs of a plan, and whether its output may fit.

    Args:
        plan: the plan.
        options: where it is to run.

    Raises:
        BuildError: the output does not fit.
    """
    for line in plan.left_out:
        notice(("splits: ", "yellow"), line)
    for remark in plan.remarks:
        notice(("pictures: ", "yellow"), remark)
    for doubt in plan.doubts:
        notice(("annotations: ", "yellow"), doubt)
    if warning := check_room(plan.output, plan.estimate, spools=options.runner in LOCAL_RUNNERS):
        notice(("disk: ", "yellow"), warning)

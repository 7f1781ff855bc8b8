"""The command `recap`, which makes and filters detailed captions of the regions of a source."""

import time
from argparse import Namespace
from dataclasses import replace
from typing import TYPE_CHECKING

from pipelines.cli.command import Commands, add_command
from pipelines.cli.recap_flags import add_recap_flags
from schemas.counted import counted

if TYPE_CHECKING:
    from pipelines.plan import Plan
    from pipelines.recap.flow import CaptionTools
    from pipelines.recipes.recap import RecapRecipe


def add_parser(commands: Commands) -> None:
    """Declare the command and its flags."""
    parser = add_command(
        commands,
        run,
        "recap",
        "Caption the regions of a source in detail, and keep the captions that fit.",
        "recap --source v3det --data-root /data --output /recapd "
        "--endpoint http://gpu:8000/v1 --model NAME --clip-model ViT-L-14 --clip-weights openai "
        "--calibration calibration.json",
        "recap --source v3det --data-root /data --output /recapd "
        "--serve Qwen/Qwen2.5-VL-7B-Instruct --vllm /opt/vllm/bin/python --no-filter",
        takes_others=True,
    )
    add_recap_flags(parser)


def run(args: Namespace) -> int:
    """Caption regions and write shards, or print the estimate of a dry run."""
    from pipelines.card.guard import print_guard
    from pipelines.card.summary import print_summary
    from pipelines.cli.arguments import existing_folder, output_folder
    from pipelines.cli.before_build import check_guard_flags, engine_options, print_warnings
    from pipelines.cli.recap_judge import check_judge_now, with_judge
    from pipelines.cli.recap_recipe import recipe_of
    from pipelines.cli.recap_tools import (
        check_server_flags,
        check_vision,
        make_tools,
        open_server,
    )
    from pipelines.guard import check_guard
    from pipelines.recap.earlier_run import continues_captions, continues_judging
    from pipelines.recap.plan import make_recap_plan
    from pipelines.recap.run import run_recap
    from pipelines.runner.progress import QUIET_SECONDS, Ticker

    check_server_flags(args)
    engine = engine_options(args)
    recipe, scorer = recipe_of(args)
    engine = replace(engine, fork=scorer is None)  # torch's threads do not survive a fork
    check_guard_flags(args, recipe)
    output = output_folder(args.output)
    root = existing_folder(args.data_root, "--data-root")
    with open_server(args, recipe.captioning) as server:
        tools = make_tools(args, recipe.captioning, scorer, server)
        tools = with_judge(tools, args, recipe.filter.judge(recipe.captioning.max_pixels))
        with Ticker("looking at the inputs", patience=QUIET_SECONDS):
            plan = make_recap_plan(recipe, root, output)
        print_guard(plan)
        if args.require_guard:
            check_guard(plan.guard, plan.recipe)
        refilter = args.refilter is not None
        asks_servers = recipe.captioning.captioner == "openai" and not refilter
        checks = asks_servers and not args.serve and not args.no_canary
        if args.dry_run:
            if not args.serve:
                check_judge_now(tools)
            if checks:
                tools = check_vision(tools, recipe.captioning, now=True)
            _print_estimate(plan, recipe, tools, measured=not args.serve)
            print_warnings(plan, engine)
            return 0
        print_warnings(plan, engine)
        if checks:
            now = args.rebuild or not continues_captions(plan)
            tools = check_vision(tools, recipe.captioning, now=now)
        if not refilter and (args.rebuild or not continues_judging(plan)):
            check_judge_now(tools)
        started = time.monotonic()
        manifest = run_recap(
            recipe, plan, tools, engine=engine, rebuild=args.rebuild, refilter=refilter
        )
        print_summary(plan, manifest, time.monotonic() - started)
    return 0


def _print_estimate(
    plan: "Plan", recipe: "RecapRecipe", tools: "CaptionTools", *, measured: bool
) -> None:
    """Print the number of calls of a run, and their tokens and time if a server can be measured."""
    from pipelines.recap.captioning.estimate import estimate_run
    from pipelines.recap.captioning.workload import count_workload
    from schemas.console import result

    workload = count_workload(plan)
    regions, images = counted(workload.regions, "region"), counted(workload.images, "image")
    result(f"would caption {regions} of {images}, at most")
    if not measured:
        captioning = recipe.captioning
        calls = workload.regions * captioning.samples + workload.images * captioning.global_caption
        beside = ", beside those to the judge" if recipe.filter.judge_model else ""
        every = f"{counted(calls, 'call')}{beside}"
        result(f"{every}; tokens and time are measured on a server that is up:")
        result("start it by hand, and give its --endpoint with --dry-run")
        return
    judge = tools.judge() if tools.judge else None
    estimate = estimate_run(workload, recipe, tools.captioner(), tools.concurrent_images, judge)
    unknown = "no image could be captioned to measure the rate"
    for line in estimate.lines() if estimate else [unknown]:
        result(line)

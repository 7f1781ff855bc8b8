"""`recap`: detailed captions of the regions of a source, asked of a captioner and filtered."""

import asyncio
import time
from argparse import Namespace
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console

from pipelines.card.guard import print_guard
from pipelines.card.summary import print_summary
from pipelines.cli.arguments import folder, parse_paths, parse_size, positive
from pipelines.cli.flags.shared import SHARD_SIZE
from pipelines.datasets.spec import SourceRequest
from pipelines.guard import check_guard
from pipelines.guard.lists import GUARDED
from pipelines.plan import Plan
from pipelines.recap.captioning.builtin import BuiltinCaptioner
from pipelines.recap.captioning.captioner import Captioner
from pipelines.recap.captioning.estimate import estimate_run
from pipelines.recap.captioning.replay import ReplayOnlyCaptioner
from pipelines.recap.captioning.workload import count_workload
from pipelines.recap.clip.calibrate import load_calibration
from pipelines.recap.clip.scorer import Scorer
from pipelines.recap.flow import CaptionTools
from pipelines.recap.plan import make_recap_plan
from pipelines.recap.run import run_recap
from pipelines.recap.serving.command import find_vllm, model_name, parse_serve_args, serve_command
from pipelines.recap.serving.server import KEY_VARIABLE, Server, Serving
from pipelines.recipes.load import load_wordings
from pipelines.recipes.recap import Captioning, Filter, RecapRecipe
from pipelines.runner.progress import QUIET_SECONDS, Ticker
from pipelines.storage import files
from pipelines.storage.extras import require
from schemas.errors import UsageError
from schemas.layout import SERVER_LOG

if TYPE_CHECKING:
    from pipelines.recap.client.endpoints import Servers

BUILTIN_CONCURRENT_IMAGES = 8  # images, where no server is waited for
PATIENCE, PATIENCE_WITH_A_START = 600.0, 1800.0  # seconds
COMEBACK_SECONDS = 60.0  # from a server's being up again to an answer, at most


def run(args: Namespace) -> int:
    """Caption regions and write shards, or say what that would take."""
    _check_who(args)
    filtering, scorer = _filter(args)
    recipe = _recipe(args, filtering)
    with _server(args, recipe.captioning.model) as server:
        captioner, concurrent_images = _captioner(args, recipe.captioning, server)
        with Ticker("looking at the inputs", patience=QUIET_SECONDS):
            plan = make_recap_plan(recipe, folder(args.data_root), folder(args.output))
        print_guard(plan)
        if args.require_guard:
            check_guard(plan.guard, plan.recipe)
        if args.dry_run:
            _print_estimate(plan, recipe, None if args.serve else captioner(), concurrent_images)
            return 0
        if args.captioner == "openai" and args.refilter is None and server is None:
            asyncio.run(_check_vision(captioner))
        started = time.monotonic()
        tools = CaptionTools(
            captioner=captioner, scorer=scorer, concurrent_images=concurrent_images
        )
        refilter = args.refilter is not None
        manifest = run_recap(recipe, plan, tools, rebuild=args.rebuild, refilter=refilter)
        print_summary(plan, manifest, time.monotonic() - started)
    return 0


def _check_who(args: Namespace) -> None:
    if args.captioner == "openai":
        require("serve", "asking a model")
    if args.serve is None:
        if args.vllm is not None or args.serve_args:
            raise UsageError("--vllm and --serve-args go with --serve MODEL")
        return
    if not args.serve:
        raise UsageError("--serve MODEL: a local folder, or a name on the Hub")
    if args.endpoint:
        raise UsageError("--serve starts a server, --endpoint names one that is there: give one")
    if args.captioner == "builtin":
        raise UsageError("--captioner builtin needs no server: leave out --serve")


def _server(args: Namespace, name: str) -> AbstractContextManager[Server | None]:
    """Return a server that starts when it is first asked, where one may be asked at all."""
    if args.serve is None or args.dry_run or args.refilter is not None:
        return nullcontext()
    flags = parse_serve_args(args.serve_args)
    command = partial(serve_command, find_vllm(args.vllm), args.serve, name, flags)
    log = files.join(folder(args.output), SERVER_LOG)
    return Server(Serving(command=command, log=log, patience=_patience(args)))


def _patience(args: Namespace) -> float:
    usual = PATIENCE if args.serve is None else PATIENCE_WITH_A_START
    found = float(usual if args.patience is None else args.patience)
    if found <= 0:
        raise UsageError(f"--patience {found:g}: expected more than 0")
    return found


def _recipe(args: Namespace, filtering: Filter) -> RecapRecipe:
    paths = parse_paths(args.path, [args.source, *GUARDED])
    own = paths.pop(args.source, {})
    captioning = Captioning(
        captioner=args.captioner,
        model=args.model or (model_name(args.serve) if args.serve else ""),
        temperature=args.temperature,
        top_p=args.top_p,
        global_tokens=args.global_tokens,
        region_tokens=args.region_tokens,
        seed_requests=args.seed_requests,
        global_caption=not args.no_global_caption,
        class_name=not args.no_class_name,
        context=args.context,
        max_pixels=args.max_pixels,
    )
    return RecapRecipe(
        sources=(SourceRequest(name=args.source, label_set=args.label_set, paths=own),),
        captioning=captioning,
        filter=filtering,
        per_category=args.per_category,
        per_image=args.per_image,
        limit=args.limit,
        guard=args.guard is not False,
        guard_paths=paths,
        seed=args.seed,
        shard_bytes=parse_size(args.shard_size or SHARD_SIZE),
        wordings=load_wordings(folder(args.wordings)) if args.wordings else {},
    )


def _filter(args: Namespace) -> tuple[Filter, Callable[[], Scorer] | None]:
    given = [
        args.threshold is not None,
        args.calibration is not None,
        args.no_filter,
        args.refilter is not None,
    ]
    if sum(given) != 1:
        raise UsageError(
            "which captions shall be kept? Give one of --threshold S, --calibration FILE (which "
            "`calibrate` writes), --no-filter, or --refilter S for a run that is there"
        )
    if args.no_filter:
        return Filter(), None
    if args.refilter is not None and args.dry_run:
        raise UsageError("--dry-run says what calls would take, and --refilter makes no calls")
    from pipelines.recap.clip.open_clip import ClipScorer

    loaded = ClipScorer(args.clip_model, args.clip_weights, args.device)
    threshold = args.threshold if args.threshold is not None else args.refilter
    if args.calibration is not None:
        calibration = load_calibration(folder(args.calibration))
        threshold = calibration.check_scorer(loaded.identity).threshold
    scorer = partial(ClipScorer, args.clip_model, args.clip_weights, args.device)
    return Filter(threshold=threshold, scorer=loaded.identity), scorer


def _captioner(
    args: Namespace, captioning: Captioning, server: Server | None
) -> tuple[Callable[[], Captioner], int]:
    concurrency = positive("--concurrency", args.concurrency)
    if args.refilter is not None:
        return ReplayOnlyCaptioner, concurrency
    make: Callable[[], Captioner]
    if captioning.captioner == "builtin":
        make, concurrency = partial(BuiltinCaptioner, captioning.context), BUILTIN_CONCURRENT_IMAGES
    else:
        from pipelines.recap.client.captioner import OpenAICaptioner

        make = partial(OpenAICaptioner, _servers(args, server), captioning)
        if server is not None:
            from pipelines.recap.serving.captioner import ServedCaptioner

            make = partial(ServedCaptioner, make, server)
    return make, concurrency


def _servers(args: Namespace, server: Server | None) -> "Servers":
    from pipelines.recap.client.endpoints import Servers

    default = [] if args.serve is None else ["http://localhost/v1"]  # of a dry run, unused
    usual = {
        "endpoints": tuple(args.endpoint or default),
        "api_key_env": args.api_key_env,
        "patience": _patience(args),
    }
    own = {}
    if server is not None:
        # While it starts again, the time that takes is for the server to judge, not for the client.
        patience = _patience(args) + COMEBACK_SECONDS
        own = {"endpoints": (server.url,), "api_key_env": KEY_VARIABLE, "patience": patience}
    return Servers(concurrency=args.concurrency, time_limit=args.timeout, **(usual | own))


async def _check_vision(make: Callable[[], Captioner]) -> None:
    from pipelines.recap.client.canary import check_servers_see_images
    from pipelines.recap.client.captioner import OpenAICaptioner

    captioner = make()
    assert isinstance(captioner, OpenAICaptioner), "only servers can be blind"
    try:
        await check_servers_see_images(captioner)
    finally:
        await captioner.close()


def _print_estimate(
    plan: Plan, recipe: RecapRecipe, captioner: Captioner | None, concurrent_images: int
) -> None:
    console = Console(highlight=False)
    workload = count_workload(plan)
    console.print(
        f"would caption {workload.regions:,} regions of {workload.images:,} images, at most"
    )
    if captioner is None:
        calls = workload.regions + workload.images * recipe.captioning.global_caption
        console.print(f"{calls:,} calls; tokens and hours are measured on a server that is up:")
        console.print("start it by hand, and give its --endpoint with --dry-run")
        return
    estimate = estimate_run(workload, recipe, captioner, concurrent_images)
    console.print(
        estimate.line() if estimate else "no image could be captioned to measure the rate"
    )

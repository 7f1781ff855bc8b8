"""`recap`: detailed captions of the regions of a source, asked of a captioner and filtered."""

import asyncio
import time
from argparse import Namespace
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console

from pipelines.commands.arguments import folder, parse_paths, parse_size, positive
from pipelines.datasets.spec import SourceRequest
from pipelines.plan import Plan
from pipelines.recap.builtin import BuiltinCaptioner
from pipelines.recap.calibrate import load_calibration
from pipelines.recap.captioner import Captioner
from pipelines.recap.flow import Tools
from pipelines.recap.forecast import count, forecast
from pipelines.recap.mute import MuteCaptioner
from pipelines.recap.plan import make_recap_plan
from pipelines.recap.recipe import Captioning, Filter, RecapRecipe
from pipelines.recap.run import run_recap
from pipelines.recap.scorer import Scorer
from pipelines.recipe import load_wordings
from pipelines.summary import print_summary
from schemas.errors import UsageError

if TYPE_CHECKING:
    from pipelines.recap.endpoints import Servers

BUILTIN_SIDE_BY_SIDE = 8  # images, where no server is waited for


def run(args: Namespace) -> int:
    """Caption regions and write shards, or say what that would take."""
    filtering, scorer = _filter(args)
    recipe = _recipe(args, filtering)
    captioner, side_by_side = _captioner(args, recipe.captioning)
    plan = make_recap_plan(recipe, folder(args.data_root), folder(args.output))
    if args.dry_run:
        _print_forecast(plan, recipe, captioner(), side_by_side)
        return 0
    if args.captioner == "openai" and args.refilter is None:
        asyncio.run(_check_sight(captioner))
    started = time.monotonic()
    tools = Tools(captioner=captioner, scorer=scorer, side_by_side=side_by_side)
    refilter = args.refilter is not None
    manifest = run_recap(recipe, plan, tools, rebuild=args.rebuild, refilter=refilter)
    print_summary(plan, manifest, time.monotonic() - started)
    return 0


def _recipe(args: Namespace, filtering: Filter) -> RecapRecipe:
    paths = parse_paths(args.path, [args.source]).get(args.source, {})
    captioning = Captioning(
        captioner=args.captioner,
        model=args.model,
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
        sources=(SourceRequest(name=args.source, label_set=args.label_set, paths=paths),),
        captioning=captioning,
        filter=filtering,
        per_category=args.per_category,
        per_image=args.per_image,
        limit=args.limit,
        seed=args.seed,
        shard_bytes=parse_size(args.shard_size),
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
    from pipelines.recap.clip import ClipScorer  # torch takes seconds

    loaded = ClipScorer(args.clip_model, args.clip_weights, args.device)
    threshold = args.threshold if args.threshold is not None else args.refilter
    if args.calibration is not None:
        calibration = load_calibration(folder(args.calibration))
        threshold = calibration.check_scorer(loaded.identity).threshold
    scorer = partial(ClipScorer, args.clip_model, args.clip_weights, args.device)
    return Filter(threshold=threshold, scorer=loaded.identity), scorer


def _captioner(args: Namespace, how: Captioning) -> tuple[Callable[[], Captioner], int]:
    concurrency = positive("--concurrency", args.concurrency)
    make: Callable[[], Captioner]
    if how.captioner == "builtin":
        make, concurrency = partial(BuiltinCaptioner, how.context), BUILTIN_SIDE_BY_SIDE
    else:
        from pipelines.recap.client import OpenAICaptioner  # the extra `serve`

        make = partial(OpenAICaptioner, _servers(args), how)
    return (partial(_mute, make) if args.refilter is not None else make), concurrency


def _mute(make: Callable[[], Captioner]) -> Captioner:
    return MuteCaptioner(make())


def _servers(args: Namespace) -> "Servers":
    from pipelines.recap.endpoints import Servers

    return Servers(
        endpoints=tuple(
            args.endpoint or (["http://localhost/v1"] if args.refilter is not None else [])
        ),
        api_key_env=args.api_key_env,
        concurrency=args.concurrency,
        time_limit=args.timeout,
        patience=args.patience,
    )


async def _check_sight(make: Callable[[], Captioner]) -> None:
    from pipelines.recap.canary import check_sight
    from pipelines.recap.client import OpenAICaptioner

    eyes = make()
    assert isinstance(eyes, OpenAICaptioner), "only servers can be blind"
    try:
        await check_sight(eyes)
    finally:
        await eyes.close()


def _print_forecast(
    plan: Plan, recipe: RecapRecipe, captioner: Captioner, side_by_side: int
) -> None:
    console = Console(highlight=False)
    counted = count(plan)
    regions = counted.regions(recipe.per_category)
    console.print(f"would caption {regions:,} regions of {counted.images:,} images, at most")
    found = forecast(counted, recipe, captioner, side_by_side)
    console.print(found.line() if found else "no image could be captioned to measure the rate")

"""`recap`: detailed captions of the regions of a source, asked of a captioner and filtered."""

import time
from argparse import Namespace
from functools import partial

from pipelines.commands.arguments import folder, parse_paths, parse_size, positive
from pipelines.datasets.spec import SourceRequest
from pipelines.launch import LaunchOptions, launch
from pipelines.recap.flow import RecapFlow, Tools
from pipelines.recap.journal import FOLDER, fingerprint_of
from pipelines.recap.plan import make_recap_plan
from pipelines.recap.recipe import Captioning, Filter, RecapRecipe
from pipelines.recipe import load_wordings
from pipelines.summary import print_summary
from schemas.errors import UsageError


def run(args: Namespace) -> int:
    """Caption regions and write shards, or say what that would take."""
    recipe = _recipe(args)
    plan = make_recap_plan(recipe, folder(args.data_root), folder(args.output))
    tools = _tools(args, recipe)
    flow = RecapFlow(recipe=recipe, fingerprint=fingerprint_of(_identity(recipe, plan)), tools=tools)
    started = time.monotonic()
    options = LaunchOptions(
        rebuild=args.rebuild or args.refilter is not None,
        keep=FOLDER if args.refilter is not None else None,
    )
    manifest = launch(plan, options, flow)
    print_summary(plan, manifest, time.monotonic() - started)
    return 0

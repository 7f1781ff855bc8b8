"""A RecapD run from its plan to its manifest."""

from contextlib import suppress
from dataclasses import replace

import apache_beam as beam

from pipelines.output.lock import locked_output
from pipelines.plan import Plan
from pipelines.recap.captioning.segments import merge_segments, remove_segments
from pipelines.recap.deciding import journal_fingerprints
from pipelines.recap.earlier_run import check_earlier_run, forget_end, remember_end
from pipelines.recap.flow import CaptionTools, RecapFlow
from pipelines.recipes.recap import RecapRecipe
from pipelines.runner.launch import LaunchOptions, launch
from pipelines.storage import files
from schemas.errors import BuildError, UsageError
from schemas.layout import JOURNAL_FOLDER
from schemas.manifest import Manifest


def run_recap(
    recipe: RecapRecipe,
    plan: Plan,
    tools: CaptionTools,
    *,
    engine: LaunchOptions | None = None,
    rebuild: bool = False,
    refilter: bool = False,
) -> Manifest:
    """Caption the regions of a plan, filter captions, write shards, and return the manifest.

    Args:
        recipe: the recipe of the plan.
        plan: the plan of the run.
        tools: functions that make captioner and scorer.
        engine: where the run takes place; None: in this process.
        rebuild: whether to replace another run in the output, its captions included.
        refilter: whether to replace another run in the output, but keep its captions.

    Raises:
        UsageError: a template is asked for.
        BuildError: the build fails as in `launch`, or the captioner can answer no more requests.
            All answers are kept.
    """
    options = replace(engine or LaunchOptions(), asks_servers=True)
    if options.template:
        raise UsageError(
            "--template_location is for `build`: recap itself merges the captions after its job"
        )
    if rebuild and not refilter:
        options = replace(options, rebuild=True)
    else:
        replaces = check_earlier_run(plan, refilter=refilter)
        options = replace(
            options,
            rebuild=replaces,
            keep=JOURNAL_FOLDER if replaces else None,
            again=True,  # lost, refused and outdated answers show only then
        )
    flow = RecapFlow(
        recipe=recipe,
        fingerprints=journal_fingerprints(plan),
        segmented=not (files.is_local(plan.output) and options.in_this_process),
        retry_refused=not refilter,
        tools=tools,
    )

    def lay_out(root: beam.Pipeline, plan: Plan, parts: int) -> None:
        forget_end(plan.output)  # only now that the output belongs to this run
        merge_segments(plan.output)  # of a run that was killed
        flow(root, plan, parts)

    try:
        manifest = launch(plan, options, lay_out)
        if flow.segmented:
            _merge_at_end(plan.output)
        return manifest
    finally:
        remember_end(plan)


def _merge_at_end(output: str) -> None:
    """Merge the segments of a run that has ended, unless the next run has begun and does it."""
    with suppress(BuildError), locked_output(output):
        merge_segments(output)
        remove_segments(output)

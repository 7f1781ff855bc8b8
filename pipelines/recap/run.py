"""Run: a RecapD run from its plan to its manifest."""

from pipelines.launch import LaunchOptions, launch
from pipelines.plan import Plan
from pipelines.recap.earlier_run import check_earlier_run
from pipelines.recap.flow import RecapFlow, Tools
from pipelines.recap.journal import FOLDER, fingerprint_of
from pipelines.recap.recipe import RecapRecipe
from schemas.manifest import Manifest


def run_recap(
    recipe: RecapRecipe, plan: Plan, tools: Tools, *, rebuild: bool = False, refilter: bool = False
) -> Manifest:
    """Caption, filter and write what a plan says, and return its manifest.

    Args:
        recipe: that of the plan.
        plan: of the run.
        tools: what captions and scores.
        rebuild: replace another run in the output, its captions included.
        refilter: replace another run in the output, but keep its captions.

    Raises:
        BuildError: as `launch` does; or the captioner is gone. What was answered is kept.
    """
    if refilter or not rebuild:
        check_earlier_run(plan, refilter=refilter)
    inputs = [item.sha256 for item in plan.identity.inputs]
    fingerprint = fingerprint_of({**recipe.caption_identity(), "inputs": inputs})
    options = LaunchOptions(rebuild=rebuild or refilter, keep=FOLDER if refilter else None)
    return launch(plan, options, RecapFlow(recipe=recipe, fingerprint=fingerprint, tools=tools))

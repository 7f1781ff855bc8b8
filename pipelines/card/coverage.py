"""The coverage of captions: the number of a build's regions that have a detailed caption."""

from collections.abc import Iterator

from pipelines.captions.manifest import differences
from pipelines.plan import Plan
from pipelines.recipes.recipe import RECAPD_ROLE, Recipe
from schemas.console import say
from schemas.ledger import Ledger, Stage
from schemas.manifest import Manifest
from schemas.rejection import Kind
from schemas.sample import Task


def coverage(plan: Plan, manifest: Manifest, ledger: Ledger) -> Iterator[str]:
    """Yield a line for each split with captions, with the reasons why regions have no caption."""
    lacking = set()
    for split in plan.splits:
        if RECAPD_ROLE not in split.files:
            continue
        key = split.source, split.split
        stages = ledger.sources.get(key[0], {}).get(key[1], {})
        sampled_in = Stage.SAMPLE if Stage.SAMPLE in stages else Stage.SCREEN
        taken = ledger.account(*key, sampled_in, Kind.ANNOTATION).kept
        captions = sum(s.captions for s in manifest.shards if (s.config, s.split) == key)
        yield f"{split.source}/{split.split}: captions for {captions:,} of {taken:,} drawn regions"
        if captions < taken:
            lacking.add(split.source)
    for source in plan.recipe.sources:
        if source.name in lacking:
            yield from (f"{source.name}: {line}" for line in differences(plan.resolved, source))


def left_out(recipe: Recipe) -> list[str]:
    """Return the sources whose detailed captions a recipe names and a build leaves out."""
    asked = Task.REGION_DETAILED_CAPTION
    return [
        source.name
        for source in recipe.sources
        if recipe.no_recapd and asked in (source.tasks or ())
    ]


def print_coverage(plan: Plan, manifest: Manifest, ledger: Ledger) -> None:
    """Print the number of regions that have a caption, for sources with captions."""
    for line in coverage(plan, manifest, ledger):
        say(line)
    for name in left_out(plan.recipe):
        say(f"{name}: without the detailed captions that the recipe asks for")

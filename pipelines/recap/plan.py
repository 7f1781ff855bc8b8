"""The plan of a RecapD run: that of a build of one source, under the name of what we make of it."""

import dataclasses

from msgspec.structs import replace as with_fields

from pipelines.plan import Plan, make_plan
from pipelines.recipes.recap import CONFIG, RecapRecipe


def make_recap_plan(recipe: RecapRecipe, root: str, output: str) -> Plan:
    """Return the plan of a run.

    Raises:
        UsageError: says which files are missing and where to get them.
    """
    plan = make_plan(recipe, root, output)
    splits = tuple(with_fields(split, source=CONFIG, owner=split.source) for split in plan.splits)
    names = {(CONFIG, split): name for (_, split), name in plan.guard.picture_names.items()}
    guard = dataclasses.replace(plan.guard, picture_names=names)
    return dataclasses.replace(plan, splits=splits, guard=guard)

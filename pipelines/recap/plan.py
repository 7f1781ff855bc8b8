"""The plan of a RecapD run: a build of one source with the task of detailed captions."""

import dataclasses

from msgspec.structs import replace as with_fields

from pipelines.datasets.catalog import dataset
from pipelines.plan import Plan, plan_resolved
from pipelines.recipes.recap import CONFIG, TASKS, RecapRecipe
from pipelines.recipes.resolve import (
    ResolvedRecipe,
    check_sources,
    instruction_of,
    numbers,
    spell_out,
)
from schemas.errors import UsageError
from schemas.sample import Task
from schemas.style import Style
from transforms.caps import Caps


def make_recap_plan(recipe: RecapRecipe, root: str, output: str) -> Plan:
    """Return the plan of a RecapD run.

    Raises:
        UsageError: the recipe cannot be run, or files are missing; the message names the files
            and where to get them.
    """
    plan = plan_resolved(_resolve_recap(recipe), root, output)
    splits = tuple(with_fields(split, source=CONFIG, owner=split.source) for split in plan.splits)
    names = {(CONFIG, split): name for (_, split), name in plan.guard.picture_names.items()}
    guard = dataclasses.replace(plan.guard, picture_names=names)
    return dataclasses.replace(plan, splits=splits, guard=guard)


def _resolve_recap(recipe: RecapRecipe) -> ResolvedRecipe:
    """Return the recipe of a build with detailed captions as its task and open values filled in.

    Raises:
        UsageError: the source is unknown, has no class names, or does not support a setting.
    """
    check_sources(recipe)
    (source,) = recipe.sources
    if Task.REGION_CLASSIFICATION not in dataset(source.name).tasks.get(Style.REGIONGPT, ()):
        raise UsageError(f"source {source.name!r} has no boxes with class names to caption")
    caps = Caps(
        per_category=numbers({CONFIG: recipe.per_category}),
        per_image=numbers({CONFIG: recipe.per_image}),
        seed=recipe.seed,
        drawn_as={CONFIG: source.name},
    )
    return ResolvedRecipe(
        recipe=recipe,
        sources=(spell_out(recipe, source, source.tasks),),
        tasks={CONFIG: TASKS},
        caps=caps,
        instruction=instruction_of(recipe),
        min_side=recipe.min_side,
    )

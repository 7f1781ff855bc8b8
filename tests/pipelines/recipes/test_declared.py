"""What identities rely on is declared: the wordings of tasks, and who names pictures."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from pipelines.datasets.catalog import CATALOG, dataset
from pipelines.datasets.spec import SourceRequest
from pipelines.entries import parse
from pipelines.images import PrepareImage
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from prompts.catalog import DIALOGUES, EVALUATIONS, WORDINGS_OF
from prompts.instruction import InstructionMode
from prompts.wordings import WordingSet
from schemas.source import SourceImage
from schemas.style import Style
from transforms.ledger import Ledgers

RECIPES: dict[str, dict[str, Any]] = {
    "gpt4roi": {"style": Style.GPT4ROI},
    **{mode: {"mode": mode} for mode in InstructionMode},
    "evaluation": {"evaluation": True},
}


class Noted(Mapping[str, WordingSet]):
    """Sets of wordings that note which of them are asked for."""

    def __init__(self, sets: Mapping[str, WordingSet]) -> None:
        self._sets = sets
        self.used: set[str] = set()

    def __getitem__(self, name: str) -> WordingSet:
        self.used.add(name)
        return self._sets[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._sets)

    def __len__(self) -> int:
        return len(self._sets)


def sources_of(recipe: str) -> list[str]:
    """The sources of a recipe; those that need a path of detections are left out."""
    style = RECIPES[recipe].get("style", Style.REGIONGPT)
    if recipe == "evaluation":
        return [name for name, spec in CATALOG.items() if spec.evaluations and "ref" not in name]
    return [name for name, spec in CATALOG.items() if spec.tasks.get(style)]


def labelled(name: str) -> SourceRequest:
    return SourceRequest(name=name, label_set="Shapes-15" if name in ("coco", "lvis") else None)


@pytest.mark.parametrize("recipe", RECIPES)
def test_tasks_and_sources_keep_to_what_they_declare(sample_world, tmp_path, recipe):
    sources = tuple(map(labelled, sources_of(recipe)))
    plan = make_plan(Recipe(sources=sources, **RECIPES[recipe]), str(sample_world), str(tmp_path))
    dialogues = EVALUATIONS if plan.recipe.evaluation else DIALOGUES
    prepare, used = PrepareImage.of(plan), set()
    for split in plan.splits:
        spec = dataset(split.source)
        for entry in parse(split):
            if not isinstance(entry, SourceImage):
                continue
            name = spec.picture_name(entry.image)
            assert name is None or name.partition("/")[0] in spec.picture_owners
            screened = prepare(entry, Ledgers())
            if screened is None:
                continue
            for task in plan.resolved.tasks[split.source]:
                wordings = Noted(plan.resolved.instruction.wordings)
                dialogues[task](screened, replace(plan.resolved.instruction, wordings=wordings))
                assert wordings.used <= {declared.name for declared in WORDINGS_OF[task]}, task
                used |= wordings.used
    assert len(used) > 3

"""The resolution of a recipe: check it against the data sets, and fill in its open fields."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.datasets.catalog import CATALOG, dataset
from pipelines.datasets.spec import OWN_SPLIT, Cap, SourceRequest
from pipelines.recipes.recipe import RECAPD_ROLE, Recipe
from pipelines.recipes.tasks import check_weights, tasks_of
from prompts.catalog import WORDING_SETS
from prompts.instruction import Instruction, InstructionMode
from prompts.wordings import replace_sets
from schemas.errors import UsageError
from schemas.sample import Task
from schemas.source import Sizing
from transforms.caps import Caps

# The flags that set a field of a source, where they are not named like the field.
_FLAGS = {
    "annotations": "--coco-annotations",
    "images": "--coco-images",
    "split": "--coco-split",
    "crowds": "--coco-crowds",
    "frame": "--coco-frame",
    "last_part": "--coco-last-part",
    "year": "--coco-year",
}
_SWITCHES = {"last_part"}  # fields whose flags take no value
INPUT_PLACES = {"annotations", "images", "paths"}  # a source's paths do not decide the output
REMARKS = {"about", "notes", "paper", "guard_paths", "allow_missing"}  # decide no record
MODED = Task.REGION_CLASSIFICATION  # the task whose conversations go by the recipe's mode
PER_SOURCE = {"sources", "per_category", "per_image"}  # fields that are written for each source


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedRecipe:
    """A checked recipe with all open fields filled in, ready for a build."""

    recipe: Recipe
    sources: tuple[SourceRequest, ...]  # the recipe's sources, with all open fields filled in
    tasks: Mapping[str, tuple[Task, ...]]  # by config
    caps: Caps  # by config
    instruction: Instruction
    min_side: int = 0  # of a region's box, pixels of the annotation; smaller ones are rejected

    def sizing(self, source: str) -> Sizing:
        """Return the settings that decide the number of shards of each split of a source."""
        (request,) = (request for request in self.sources if request.name == source)
        chosen = Task.REFERRING_EXPRESSION_COMPREHENSION in self.tasks.get(source, ())
        return Sizing(
            shard_bytes=self.recipe.shard_bytes,
            embed=self.recipe.images == "embed",
            record_per_region=self.recipe.mode is InstructionMode.ONE_TURN_ONE,
            per_category=_number(request.per_category),
            captioned=RECAPD_ROLE in request.paths,
            choices=1 / (1 - self.recipe.rec_negatives) if chosen else 0,
        )

    def requests(self) -> dict[str, SourceRequest]:
        """Return the recipe's sources, with all open fields filled in, by config."""
        return dict(zip(self.tasks, self.sources, strict=True))

    def papers_caps(self) -> dict[str, int]:
        """Return the caps per image that no recipe or flag states, by source; they are papers'."""
        stated = {source.name for source in self.recipe.sources if source.per_image is not None}
        unstated = self.caps.per_image.keys() - stated if self.recipe.per_image is None else set()
        return {name: cap for name, cap in self.caps.per_image.items() if name in unstated}

    def identity(self) -> dict[str, Any]:
        """Return the whole recipe as a JSON object, without remarks and paths of inputs."""
        recipe = self.recipe.model_dump(mode="json", by_alias=True, exclude=REMARKS | PER_SOURCE)
        sources = [source.model_dump(mode="json", exclude=INPUT_PLACES) for source in self.sources]
        return recipe | {"sources": sources}


def resolve(recipe: Recipe) -> ResolvedRecipe:
    """Return a checked recipe with all open fields filled in.

    Raises:
        UsageError: a source, a task or a set of wordings is unknown, or the recipe has a setting
            that a source does not support.
    """
    check_name(recipe)
    check_sources(recipe)
    sources = tuple(
        spell_out(recipe, source, tasks_of(recipe, source)) for source in recipe.sources
    )
    check_weights(recipe, {source.name: source.tasks or () for source in sources})
    check_mode(recipe, {task for source in sources for task in source.tasks or ()})
    caps = Caps(
        per_category=numbers({source.name: source.per_category for source in sources}),
        per_image=numbers({source.name: source.per_image for source in sources}),
        min_words=recipe.min_words,
        seed=recipe.seed,
    )
    return ResolvedRecipe(
        recipe=recipe,
        sources=sources,
        tasks={source.name: source.tasks or () for source in sources},
        caps=caps,
        instruction=instruction_of(recipe),
    )


def check_name(recipe: Recipe) -> None:
    """Raise `UsageError` for a name that another config of the output has."""
    if recipe.name in CATALOG or recipe.name == RECAPD_ROLE:
        raise UsageError(f"a recipe cannot be named {recipe.name!r}: another config is")


def check_sources(recipe: Recipe) -> None:
    """Raise `UsageError` for an unknown source, or a setting that a source does not support."""
    for source in recipe.sources:
        for key, value, expected in dataset(source.name).misfits(source):
            stated = f"recipe {recipe.name!r}: source {source.name!r}: {key} {value!r}"
            if recipe.by_flags:
                flag = _FLAGS.get(key, f"--{key.replace('_', '-')}")
                if key not in _SWITCHES:
                    flag = f"{flag} {source.name if value is True else value}"
                stated = f"{flag}: source {source.name!r}"
            raise UsageError(f"{stated}: expected {expected}")
        if source.frame == "upright" and recipe.images == "reference":
            raise UsageError(
                f"source {source.name!r}: boxes in upright pictures (--coco-frame upright) need "
                "--images embed: a picture that is only referred to stays as it is stored"
            )


def check_mode(recipe: Recipe, tasks: Collection[Task]) -> None:
    """Raise `UsageError` for a mode of an evaluation whose tasks have none."""
    usual = InstructionMode.ONE_TURN_ONE
    if recipe.evaluation and recipe.mode is not usual and MODED not in tasks:
        raise UsageError(
            f"recipe {recipe.name!r}: mode {recipe.mode}: expected {usual}, as only an evaluation "
            f"of {MODED} has other modes"
        )


def spell_out(
    recipe: Recipe, source: SourceRequest, tasks: tuple[Task, ...] | None
) -> SourceRequest:
    """Return a source with its tasks, and open fields filled in from the recipe or defaults."""
    spec, own_file = dataset(source.name), source.annotations is not None
    usual = None if recipe.evaluation else spec.boxes_per_image.get(recipe.style)
    return source.model_copy(
        update={
            "tasks": tasks,
            "per_category": _first_cap(source.per_category, recipe.per_category),
            "per_image": _first_cap(source.per_image, recipe.per_image, usual),
            "year": None if own_file or not spec.years else source.year or spec.years[-1],
            "edition": source.edition or next(iter(spec.editions), None),
            "split": source.split or OWN_SPLIT,
        }
    )


def instruction_of(recipe: Recipe) -> Instruction:
    """Return the settings of a recipe that decide the conversations about regions.

    Raises:
        UsageError: a set of wordings is unknown or cannot be used.
    """
    return Instruction(
        style=recipe.style,
        mode=recipe.mode,
        wordings=replace_sets(WORDING_SETS, recipe.wordings),
        seed=recipe.seed,
        rec_negatives=recipe.rec_negatives,
        no_box_share=recipe.no_box_share,
        plain_captions=recipe.plain_captions,
        merge=recipe.merge,
        max_words=recipe.max_words,
        weights=recipe.weights,
        evaluation=recipe.evaluation,
        captions_per_conversation=recipe.captions_per_conversation,
        suffix_shares={
            source.name: source.suffix_share
            for source in recipe.sources
            if source.suffix_share is not None
        },
        task_definitions={
            source.name: definition
            for source in recipe.sources
            if (definition := dataset(source.name).task_definition) is not None
        },
    )


def numbers(caps: Mapping[str, Cap | None]) -> dict[str, int]:
    """Return the caps that are numbers, without None and "all"."""
    return {name: cap for name, cap in caps.items() if isinstance(cap, int)}


def _number(cap: Cap | None) -> int | None:
    return cap if isinstance(cap, int) else None


def _first_cap(*caps: Cap | None) -> int | None:
    """Return the first cap that is not None as a number, or None if it is "all" or missing."""
    return _number(next((cap for cap in caps if cap is not None), None))

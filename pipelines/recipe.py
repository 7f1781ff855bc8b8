"""A recipe: which sources make a training mix, how they are asked about, and how many regions."""

import re
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pipelines import files
from pipelines.datasets.catalog import CATALOG, dataset
from pipelines.datasets.spec import SourceRequest
from prompts.instruction import REC_NEGATIVES, WITHOUT_BOXES, Instruction, InstructionMode
from prompts.style import Style
from prompts.table import WORDING_SETS
from prompts.wordings import replace_sets
from schemas.errors import UsageError
from schemas.manifest import ImagesMode
from schemas.rejection import Rejected
from schemas.sample import Task
from schemas.source import Sizing
from schemas.text import clean
from transforms.subsample import Caps

MIB = 1024 * 1024
SPLIT = re.compile(r"\w+(\.\w+)*")  # the names that `datasets` takes, but for "all"


class Recipe(BaseModel):
    """All that decides what a build makes of its inputs, and nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = "all"  # also the config that unites the sources
    sources: tuple[SourceRequest, ...] = Field(min_length=1)
    style: Style = Style.REGIONGPT
    mode: InstructionMode = InstructionMode.MULTI_TURN_ALL
    per_category: int | None = Field(default=None, ge=1)
    per_image: int | None = Field(default=None, ge=1)
    min_words: int | None = Field(default=None, ge=1)
    limit: int | None = Field(default=None, ge=1)
    rec_negatives: float = Field(default=REC_NEGATIVES, ge=0, le=1)
    without_boxes: float = Field(default=WITHOUT_BOXES, ge=0, le=1)
    plain_captions: bool = False
    seed: int = Field(default=0, ge=0, lt=2**63)
    images: ImagesMode = "embed"
    shard_bytes: int = Field(default=500 * MIB, ge=1)
    wordings: dict[str, list[str]] = {}

    @field_validator("sources")
    @classmethod
    def _known_once(cls, sources: tuple[SourceRequest, ...]) -> tuple[SourceRequest, ...]:
        names = [dataset(source.name).name for source in sources]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise UsageError(f"source {repeated[0]!r} is given more than once")
        for source in sources:
            _check_label_set(source.label_set)
            _check_split(source.split)
        return sources

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.style is Style.GPT4ROI and self.mode is not InstructionMode.MULTI_TURN_ALL:
            raise UsageError(
                "the gpt4roi style asks about one region per turn: it has the mode "
                f"{InstructionMode.MULTI_TURN_ALL} only"
            )
        if self.style is Style.GPT4ROI and self.plain_captions:
            raise UsageError("the gpt4roi style introduces every image: it has no plain captions")
        if self.name in CATALOG:
            raise UsageError(f"a recipe cannot be named {self.name!r}: a source's config is")
        self.tasks()
        replace_sets(WORDING_SETS, self.wordings)
        return self

    def instruction(self) -> Instruction:
        """Return how regions are asked about."""
        wordings = replace_sets(WORDING_SETS, self.wordings)
        return Instruction(
            style=self.style,
            mode=self.mode,
            wordings=wordings,
            seed=self.seed,
            rec_negatives=self.rec_negatives,
            without_boxes=self.without_boxes,
            plain_captions=self.plain_captions,
        )

    def tasks(self) -> dict[str, tuple[Task, ...]]:
        """Return what each source is used for.

        Raises:
            UsageError: a source is used for nothing in the recipe's style.
        """
        return {source.name: _tasks(source.name, self.style) for source in self.sources}

    def caps(self) -> Caps:
        """Return how many regions are taken."""
        caps = {
            source.name: self.per_image or dataset(source.name).boxes_per_image.get(self.style)
            for source in self.sources
        }
        per_image = {name: cap for name, cap in caps.items() if cap is not None}
        return Caps(
            per_category=self.per_category,
            per_image=per_image,
            min_words=self.min_words,
            seed=self.seed,
        )

    def sizing(self) -> Sizing:
        """Return what decides the number of shards."""
        return Sizing(
            shard_bytes=self.shard_bytes,
            embed=self.images == "embed",
            record_per_region=self.mode is InstructionMode.ONE_TURN_ONE,
            per_category=self.per_category,
        )

    def identity(self) -> dict[str, Any]:
        """Return the recipe as JSON, without the paths: where inputs lie decides nothing."""
        return self.model_dump(
            mode="json", exclude={"sources": {"__all__": {"annotations", "images", "paths"}}}
        )


def load_wordings(path: str) -> dict[str, list[str]]:
    """Return the wordings in a YAML or JSON file: names of sets, each with a list of wordings."""
    try:
        with files.open_read(path) as file:
            found = yaml.safe_load(file.read())
    except OSError as error:
        raise UsageError(f"cannot read the wordings file {path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise UsageError(f"the wordings file {path} is neither YAML nor JSON: {error}") from None
    if not isinstance(found, dict) or not all(
        isinstance(wordings, list) and all(isinstance(line, str) for line in wordings)
        for wordings in found.values()
    ):
        raise UsageError(f"{path}: expected names of wordings sets, each with a list of strings")
    return found


def _tasks(source: str, style: Style) -> tuple[Task, ...]:
    tasks = dataset(source).tasks
    if not tasks.get(style):
        known = ", ".join(name for name in Style if tasks.get(name))
        raise UsageError(f"source {source!r} has no tasks in the {style} style, but in: {known}")
    return tasks[style]


def _check_label_set(name: str | None) -> None:
    try:
        if name is not None and clean(name) != name:
            raise UsageError(f"--label-set {name!r} will stand in prompts: use plain words")
    except Rejected as cause:
        raise UsageError(f"--label-set: {cause.detail}") from None


def _check_split(name: str) -> None:
    if not SPLIT.fullmatch(name) or name == "all":
        raise UsageError(
            f"--coco-split {name!r}: expected letters, digits, underscores and dots between "
            "them, and not 'all': `load_dataset` takes no other"
        )

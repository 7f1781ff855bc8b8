"""A recipe: which sources make a training mix, how they are asked about, and how many regions."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pipelines.datasets.catalog import CATALOG, dataset
from pipelines.datasets.spec import OWN_SPLIT, Cap, Number, SourceRequest
from pipelines.recipes.paper import Paper
from pipelines.storage.yaml_file import read_yaml
from prompts.catalog import WORDING_SETS
from prompts.instruction import REC_NEGATIVES, WITHOUT_BOXES, Instruction, InstructionMode
from prompts.style import Style
from prompts.wordings import replace_sets
from schemas.errors import UsageError
from schemas.manifest import ImagesMode
from schemas.rejection import Rejected
from schemas.sample import Task
from schemas.source import MaskVariant, Sizing
from schemas.text import clean
from transforms.subsample import Caps

MIB = 1024 * 1024
MOST_SHARD_BYTES = MIB * MIB
BY_FLAGS = "all"  # the name of a recipe that has none of its own
RECAPD_ROLE = "recapd"  # of a source: the manifest of an output of `recap`
SPLIT = re.compile(r"\w+(\.\w+)*")  # the names that `datasets` takes, but for "all"


class Recipe(BaseModel):
    """All that decides what a build makes of its inputs, and nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default=BY_FLAGS, pattern=r"^\w[\w.-]*$")  # also the uniting config's
    about: str = ""
    paper: Paper | None = None
    sources: tuple[SourceRequest, ...] = Field(min_length=1)
    style: Style = Style.REGIONGPT
    mode: InstructionMode = InstructionMode.MULTI_TURN_ALL
    merge: bool = False  # the tasks of an image share conversations
    evaluation: bool = False  # what is made is asked of a model and scored
    masks: MaskVariant = "annotated"
    guard: bool = True  # no split to train on holds an image that an evaluation is done on
    guard_paths: Mapping[str, Mapping[str, str]] = {}  # of its lists, as `paths` of sources
    without_recapd: bool = False  # leave out the detailed captions that none were given for
    per_category: Number | None = None
    per_image: Number | None = None
    min_words: Number | None = None
    limit: Number | None = None
    rec_negatives: float = Field(default=REC_NEGATIVES, ge=0, le=1)
    without_boxes: float = Field(default=WITHOUT_BOXES, ge=0, le=1)
    plain_captions: bool = False
    seed: int = Field(default=0, ge=0, lt=2**63)
    images: ImagesMode = "embed"
    shard_bytes: int = Field(default=500 * MIB, ge=1, le=MOST_SHARD_BYTES)
    wordings: dict[str, list[str]] = {}

    @field_validator("sources")
    @classmethod
    def _known(cls, sources: tuple[SourceRequest, ...]) -> tuple[SourceRequest, ...]:
        names = [dataset(source.name).name for source in sources]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            raise UsageError(f"source {repeated[0]!r} is given more than once")
        for source in sources:
            _check_label_set(source.label_set)
            for split in (source.split, *(source.splits or ())):
                _check_split(split)
        return sources

    @model_validator(mode="after")
    def _is_heeded(self) -> Self:
        """Nothing is said of a source that would go unnoticed."""
        for source in self.sources:
            for misfit in dataset(source.name).misfits(source):
                raise UsageError(f"recipe {self.name!r}: source {source.name!r}: {misfit}")
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.style is Style.GPT4ROI and self.mode is not InstructionMode.MULTI_TURN_ALL:
            raise UsageError(
                "the gpt4roi style asks about one region per turn: it has the mode "
                f"{InstructionMode.MULTI_TURN_ALL} only"
            )
        if self.style is Style.GPT4ROI and self.plain_captions:
            raise UsageError("the gpt4roi style introduces every image: it has no plain captions")
        if self.merge and self.mode is not InstructionMode.MULTI_TURN_ALL:
            raise UsageError(f"tasks are merged in the mode {InstructionMode.MULTI_TURN_ALL} only")
        if self.evaluation and (self.merge or self.style is not Style.REGIONGPT):
            raise UsageError("an evaluation asks one question at a time, in the regiongpt style")
        if self.name in CATALOG or (self.name == RECAPD_ROLE and type(self) is Recipe):
            raise UsageError(f"a recipe cannot be named {self.name!r}: another config is")
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
            merge=self.merge,
            evaluation=self.evaluation,
            task_definitions={
                source.name: definition
                for source in self.sources
                if (definition := dataset(source.name).task_definition) is not None
            },
        )

    def tasks(self) -> dict[str, tuple[Task, ...]]:
        """Return what each source is used for.

        Raises:
            UsageError: a source is used for nothing, or cannot be used for what is wanted.
        """
        return {source.name: self._tasks_of(source) for source in self.sources}

    def _tasks_of(self, source: SourceRequest) -> tuple[Task, ...]:
        known = self._known_tasks(source)
        described = known
        if RECAPD_ROLE in source.paths:
            self._check_captions(source)
            described = (*known, Task.REGION_DETAILED_CAPTION)
        wanted = source.tasks or described
        if self.without_recapd:
            wanted = tuple(task for task in wanted if task is not Task.REGION_DETAILED_CAPTION)
        for task in wanted:
            if task is Task.REGION_DETAILED_CAPTION and task not in described:
                raise UsageError(
                    f"recipe {self.name!r} describes regions of {source.name!r} in detail: name "
                    "the captions that `recap` made with --recapd DIR, or leave them out with "
                    "--without-recapd"
                )
            if task not in described:
                raise UsageError(
                    f"source {source.name!r} cannot be used for {task} here, but for: "
                    f"{', '.join(known)}"
                )
        if not wanted:
            raise UsageError(f"--without-recapd leaves nothing to do with source {source.name!r}")
        self._check_detections(source, wanted)
        return wanted

    def _check_captions(self, source: SourceRequest) -> None:
        """Captions that are given are asked about."""
        if self.without_recapd:
            raise UsageError(
                "--recapd names detailed captions, and --without-recapd leaves them out: give one"
            )
        if self.evaluation:
            raise UsageError("an evaluation takes no captions of `recap`: leave out --recapd")
        if source.tasks and Task.REGION_DETAILED_CAPTION not in source.tasks:
            raise UsageError(
                f"recipe {self.name!r} does not describe regions of {source.name!r} in detail: "
                "leave out --recapd"
            )

    def _check_detections(self, source: SourceRequest, wanted: Sequence[Task]) -> None:
        """An evaluation of choices is among a detector's boxes, training is among the owner's."""
        choice, given = Task.REFERRING_EXPRESSION_COMPREHENSION, "detections" in source.paths
        chosen = self.evaluation and choice in wanted
        if chosen and not given:
            raise UsageError(
                f"recipe {self.name!r} matches the sentences of {source.name!r} with a detector's "
                f"boxes: name these with --detections {source.name}=FILE, and their categories "
                "with --detection-names"
            )
        if given and not chosen and choice in dataset(source.name).evaluations:
            raise UsageError(
                f"source {source.name!r} takes detections in an evaluation of {choice} only"
            )

    def _known_tasks(self, source: SourceRequest) -> tuple[Task, ...]:
        spec = dataset(source.name)
        if self.evaluation:
            if not spec.evaluations:
                raise UsageError(f"no evaluation is done on source {source.name!r}")
            return spec.evaluations
        if not spec.tasks.get(self.style):
            styles = ", ".join(name for name in Style if spec.tasks.get(name))
            raise UsageError(
                f"source {source.name!r} has no tasks in the {self.style} style"
                + (f", but in: {styles}" if styles else ": it is for evaluation only")
            )
        return spec.tasks[self.style]

    def caps(self) -> Caps:
        """Return how many regions are taken."""
        return Caps(
            per_category=_stated(
                {source.name: self._per_category(source) for source in self.sources}
            ),
            per_image=_stated({source.name: self._per_image(source) for source in self.sources}),
            min_words=self.min_words,
            seed=self.seed,
        )

    def _per_category(self, source: SourceRequest) -> int | None:
        return _cap(source.per_category, self.per_category)

    def _per_image(self, source: SourceRequest) -> int | None:
        usual = None if self.evaluation else dataset(source.name).boxes_per_image.get(self.style)
        return _cap(source.per_image, self.per_image, usual)

    def sizing(self, source: SourceRequest) -> Sizing:
        """Return what decides the number of shards of a source's splits."""
        return Sizing(
            shard_bytes=self.shard_bytes,
            embed=self.images == "embed",
            record_per_region=self.evaluation or self.mode is InstructionMode.ONE_TURN_ONE,
            per_category=self._per_category(source),
            captioned=RECAPD_ROLE in source.paths,
        )

    def identity(self) -> dict[str, Any]:
        """Return the recipe as JSON, without where inputs lie, and remarks: they decide nothing."""
        where = {"annotations", "images", "paths"}
        return self.model_dump(
            mode="json",
            exclude={"about", "paper", "guard_paths", "per_category", "per_image", "sources"},
        ) | {
            "sources": [
                self._settled(source).model_dump(mode="json", exclude=where)
                for source in self.sources
            ]
        }

    def _settled(self, source: SourceRequest) -> SourceRequest:
        """Return a source with all that is otherwise said for several, or usual, spelled out."""
        spec = dataset(source.name)
        own = source.annotations is not None
        return source.model_copy(
            update={
                "tasks": self.tasks().get(source.name, source.tasks),
                "per_category": self._per_category(source),
                "per_image": self._per_image(source),
                "year": None if own or not spec.years else source.year or spec.years[-1],
                "edition": source.edition or next(iter(spec.editions), None),
                "split": source.split or OWN_SPLIT,
            }
        )


def load_wordings(path: str) -> dict[str, list[str]]:
    """Return the wordings in a YAML or JSON file: names of sets, each with a list of wordings."""
    found = read_yaml(path, "wordings file")
    if not isinstance(found, dict) or not all(
        isinstance(wordings, list) and all(isinstance(line, str) for line in wordings)
        for wordings in found.values()
    ):
        raise UsageError(f"{path}: expected names of wordings sets, each with a list of strings")
    return found


def _cap(*caps: Cap | None) -> int | None:
    """Return the first cap that is stated; None: there is none, or it is said to be none."""
    first = next((cap for cap in caps if cap is not None), None)
    return None if first == "all" else first


def _stated(caps: Mapping[str, int | None]) -> dict[str, int]:
    return {name: cap for name, cap in caps.items() if cap is not None}


def _check_label_set(name: str | None) -> None:
    try:
        if name is not None and clean(name) != name:
            raise UsageError(f"--label-set {name!r} will stand in prompts: use plain words")
    except Rejected as cause:
        raise UsageError(f"--label-set: {cause.detail}") from None


def _check_split(name: str | None) -> None:
    if name is not None and (not SPLIT.fullmatch(name) or name == "all"):
        raise UsageError(
            f"--coco-split {name!r}: expected letters, digits, underscores and dots between "
            "them, and not 'all': `load_dataset` takes no other"
        )

"""The recipe of a build: its sources, the style of its conversations, caps, and other settings."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from pipelines.datasets.spec import Number, SourceRequest
from pipelines.recipes.fault_words import Fault
from pipelines.recipes.paper import Paper
from prompts.cutting import MAX_WORDS
from prompts.instruction import (
    MAX_REC_NEGATIVES,
    NO_BOX_SHARE,
    REC_NEGATIVES,
    InstructionMode,
)
from schemas.errors import UsageError
from schemas.manifest import ImagesMode
from schemas.rejection import Rejected
from schemas.sample import Task
from schemas.source import MaskVariant
from schemas.style import Style
from schemas.text import clean

MIB = 1024 * 1024
MAX_SHARD_BYTES = MIB * MIB
BY_FLAGS = "all"  # the name of a recipe that is made from flags alone
RECAPD_ROLE = "recapd"  # role of a source: the manifest of an output of `recap`
_SPLIT = re.compile(r"\w+(\.\w+)*")  # names that `datasets` accepts, except "all"


class Recipe(BaseModel):
    """All settings that decide the output of a build; `resolve` fills in the fields left open.

    An example in YAML, with fields of `SourceRequest` for each source:

        name: mine
        style: regiongpt
        merge: true
        sources:
          - {name: coco, splits: [train], per_category: 20}
          - {name: visual_genome, splits: [train], tasks: [region_caption]}

    Where a list is the context of a validation, they are added to it as faults instead of raised:
    two fields that contradict each other, or a name that cannot be used.

    Raises:
        UsageError: two fields contradict each other, or a name cannot be used.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default=BY_FLAGS, pattern=r"^\w[\w.-]*$")  # also names the joint config
    about: str = ""
    notes: tuple[str, ...] = ()  # on settings that no paper states
    paper: Paper | None = None
    sources: tuple[SourceRequest, ...] = Field(min_length=1)
    style: Style = Style.REGIONGPT
    mode: InstructionMode = InstructionMode.MULTI_TURN_ALL  # in an evaluation: ONE_TURN_ONE
    merge: bool = False  # whether the tasks of an image share conversations
    evaluation: bool = False  # the records test a model, and are not for training
    masks: MaskVariant = "annotated"
    allow_missing: bool = False  # build also where most pictures of a split are missing
    guard: bool = True  # reject training images that an evaluation uses
    guard_paths: Mapping[str, Mapping[str, str]] = {}  # paths of the guard's lists
    # Leave out the task of detailed captions. This field and `no_box_share` keep their first names
    # in outputs, so that earlier captions and shards stay valid.
    no_recapd: bool = Field(default=False, serialization_alias="without_recapd")
    per_category: Number | None = None
    per_image: Number | None = None
    min_words: Number | None = None
    limit: Number | None = None
    # The share of questions about expressions that have no answer.
    rec_negatives: float = Field(default=REC_NEGATIVES, ge=0)
    no_box_share: float = Field(  # share of image conversations without regions
        default=NO_BOX_SHARE, ge=0, le=1, serialization_alias="without_boxes"
    )
    captions_per_conversation: Number = 1  # captions of several regions, in the gpt4roi style
    plain_captions: bool = False
    max_words: Number = MAX_WORDS  # of a conversation; longer ones are cut between turns
    # Shares of conversations that are kept, by source and task; all others are kept whole.
    weights: Mapping[str, Mapping[Task, Annotated[float, Field(ge=0, le=1)]]] = {}
    seed: int = Field(default=0, ge=0, lt=2**63)
    images: ImagesMode = "embed"
    shard_bytes: int = Field(default=500 * MIB, ge=1, le=MAX_SHARD_BYTES)
    wordings: dict[str, list[str]] = {}

    @property
    def by_flags(self) -> bool:
        """True where the recipe is made from flags alone, so that messages speak of flags."""
        return self.name == BY_FLAGS

    @model_validator(mode="before")
    @classmethod
    def _fill_in_mode(cls, stated: Any) -> Any:
        """Return the stated fields with the mode of evaluations, where they state none."""
        if isinstance(stated, dict) and stated.get("evaluation"):
            return {"mode": InstructionMode.ONE_TURN_ONE, **stated}
        return stated

    @field_validator("rec_negatives")
    @classmethod
    def _check_rec_negatives(cls, share: float, info: ValidationInfo) -> float:
        if not share <= MAX_REC_NEGATIVES:
            text = (
                f"--rec-negatives {share:g}: expected {MAX_REC_NEGATIVES:g} at most, as each "
                "expression makes a question with an answer, and one without an answer at most"
            )
            _refuse([Fault(("rec_negatives",), text)], info)
        return share

    @field_validator("sources")
    @classmethod
    def _check_names(
        cls, sources: tuple[SourceRequest, ...], info: ValidationInfo
    ) -> tuple[SourceRequest, ...]:
        _refuse(_misnamed(sources), info)
        return sources

    @model_validator(mode="after")
    def _check_contradictions(self, info: ValidationInfo) -> Self:
        _refuse(self._contradictions(), info)
        return self

    def _contradictions(self) -> Iterator[Fault]:
        if self.evaluation and (self.merge or self.style is not Style.REGIONGPT):
            yield Fault(("merge",), "an evaluation merges no tasks, and has the regiongpt style")
        if self.style is Style.GPT4ROI and self.mode is not InstructionMode.MULTI_TURN_ALL:
            yield Fault(
                ("mode",),
                "the gpt4roi style asks about one region per turn: it has the mode "
                f"{InstructionMode.MULTI_TURN_ALL} only",
            )
        if self.style is Style.GPT4ROI and self.plain_captions:
            yield Fault(
                ("plain_captions",),
                "the gpt4roi style introduces every image: it has no plain captions",
            )
        if self.captions_per_conversation > 1 and self.style is not Style.GPT4ROI:
            yield Fault(
                ("captions_per_conversation",),
                "captions_per_conversation is for the gpt4roi style: in the other one, all "
                "captions of several regions of an image share a conversation",
            )
        if any(source.suffix_share is not None for source in self.sources) and (
            self.evaluation or self.style is not Style.REGIONGPT
        ):
            yield Fault(
                (),
                "suffix_share is for training in the regiongpt style: an evaluation names the set "
                "of categories in every question, and the gpt4roi style in its task definition",
            )
        if self.merge and self.mode is not InstructionMode.MULTI_TURN_ALL:
            yield Fault(
                ("mode",), f"tasks are merged in the mode {InstructionMode.MULTI_TURN_ALL} only"
            )
        if self.evaluation and self.weights:
            yield Fault(("weights",), "an evaluation asks every question: it has no weights")


def _refuse(faults: Iterable[Fault], info: ValidationInfo) -> None:
    """Raise `UsageError` for the first fault, or add all to the list that is the context."""
    for fault in faults:
        if not isinstance(info.context, list):
            raise UsageError(fault.text)
        info.context.append(fault)


def _misnamed(sources: tuple[SourceRequest, ...]) -> Iterator[Fault]:
    """Yield what is wrong with the names of sources, label sets and splits."""
    names = [source.name for source in sources]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Fault(("sources",), f"source {name!r} is given more than once")
    for number, source in enumerate(sources):
        for text in _misnamed_label_set(source.label_set):
            yield Fault(("sources", number, "label_set"), text)
        own = source.annotations if isinstance(source.annotations, Mapping) else ()
        for split in (source.split, *(source.splits or ()), *own):
            if split is not None and (not _SPLIT.fullmatch(split) or split == "all"):
                text = (
                    f"--coco-split {split!r}: expected letters, digits, underscores and dots "
                    "between them, and not 'all': `load_dataset` takes no other"
                )
                yield Fault(("sources", number), text)


def _misnamed_label_set(name: str | None) -> Iterator[str]:
    try:
        if name is not None and clean(name) != name:
            yield f"--label-set {name!r} will stand in prompts: use plain words"
    except Rejected as cause:
        yield f"--label-set: {cause.detail}"

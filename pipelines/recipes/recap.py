"""The recipe of a RecapD run: its source, its captioner and prompts, and its filter."""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from pipelines.datasets.spec import MAX_CAP
from pipelines.recipes.recap_judge import JudgeModel
from pipelines.recipes.recap_presets import Views
from pipelines.recipes.recipe import RECAPD_ROLE, Recipe
from prompts.recap_judge import JUDGED
from prompts.recap_request import request_sets
from prompts.wordings import WordingSet
from schemas.errors import UsageError
from schemas.sample import Task

ChosenBy = Literal["judge", "clip", "words"]  # what decides which of several captions stays

CONFIG = "recapd"
BUILTIN_MODEL = "regionforge-builtin-1"  # the name of the built-in captioner in provenance
# The views of a region that the scorer gets; without a margin, where none is named.
_VIEW, _BLURRED_VIEW = "box", "box blurred outside masks"
_ALPHA_VIEW = "box with half of it around, and the region as alpha"
# Fields that came later, which are recorded only where they are set.
_LATER_FIELDS = {
    *("extra_body", "views", "neighbours", "structured", "samples"),
    *("threshold_min", "mask_blur", "mask_alpha"),
    *("judge_model", "judge_min", "judge_sentences", "judge_extra_body", "measured_checks"),
    *("max_alike", "max_opening"),
}
MIN_WORDS = 15  # of a detailed caption; those of RegionGPT's RecapD have 87 on average
TASKS = (Task.REGION_DETAILED_CAPTION,)  # the task of the captions in a build


class _Settings(BaseModel):
    """Settings of a run, which are recorded as earlier versions recorded them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_serializer(mode="wrap")
    def _as_before(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Return the fields; those that earlier versions did not have only if they are set."""
        fields: dict[str, Any] = dump(self)
        unset = {
            name
            for name, field in type(self).model_fields.items()
            if name in _LATER_FIELDS
            and getattr(self, name) == field.get_default(call_default_factory=True)
        }
        return {name: value for name, value in fields.items() if name not in unset}


class Captioning(_Settings):
    """The settings of the captioner and its prompts, all of which decide the captions."""

    captioner: Literal["openai", "builtin"] = "openai"
    model: str = ""
    temperature: float | None = Field(default=None, ge=0, le=2)  # None: not sent
    top_p: float | None = Field(default=None, gt=0, le=1)  # None: not sent
    global_tokens: int = Field(default=512, ge=1)  # maximum tokens of an image's caption
    region_tokens: int = Field(default=512, ge=1)  # maximum tokens of a region's caption
    seed_requests: bool = False  # send a different seed with each request
    global_caption: bool = True  # begin a region's prompt with the image's caption
    class_name: bool = True  # name the annotated class in a region's prompt
    context: float = Field(default=0.0, ge=0, le=2)  # margin of crops, as a share of a box's sides
    max_pixels: int = Field(default=512 * 512, ge=28 * 28)  # of a sent picture
    views: Views = "crop"
    neighbours: bool = False  # name the other regions in a region's prompt
    structured: bool = False  # ask for a phrase, a sentence, a paragraph and attributes at once
    # Captions of each region, of which one is kept, see `Filter.chosen_by`.
    samples: int = Field(default=1, ge=1, le=16)
    extra_body: dict[str, Any] = Field(default_factory=dict)  # further parameters of requests

    @property
    def max_tokens(self) -> int:
        """The larger one of the limits of an answer's tokens."""
        whole = self.global_tokens if self.global_caption else 0
        return max(self.region_tokens, whole)

    @property
    def marked(self) -> bool:
        """Whether regions are marked by numbers in the whole picture."""
        return self.views not in {"crop", "region"}

    @property
    def given(self) -> bool:
        """Whether requests carry regions in numbers, for a model with region tokens."""
        return self.views == "region"

    @property
    def pictures(self) -> int:
        """The largest number of pictures in a call."""
        return 2 if self.views in {"both", "both-masked"} else 1

    @property
    def request_sets(self) -> tuple[WordingSet, ...]:
        """The sets of wordings that requests are made of."""
        return request_sets(
            marked=self.marked,
            given=self.given,
            neighbours=self.neighbours,
            structured=self.structured,
        )

    @property
    def captioner_model(self) -> str:
        """The name of the captioner's model in provenance."""
        return BUILTIN_MODEL if self.captioner == "builtin" else self.model

    @property
    def sampling(self) -> dict[str, Any]:
        """The sampling parameters that are sent, for provenance; none by the built-in captioner."""
        if self.captioner == "builtin":
            return {}
        values = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "seed": "by request id" if self.seed_requests else None,
            "extra_body": self.extra_body or None,
        }
        return {name: value for name, value in values.items() if value is not None}


class Filter(_Settings):
    """The filter of captions: what scorer and judge must say of a caption that is kept."""

    # Least mean over a caption's sentences, -1 to 1; None: captions are not scored.
    threshold: float | None = Field(default=None, ge=-1, le=1)
    # Least similarity of each sentence, -1 to 1; None: the mean alone decides.
    threshold_min: float | None = Field(default=None, ge=-1, le=1)
    scorer: str = ""  # identity of the scorer: model, weights and activation
    mask_blur: bool = False  # the scorer's crops are blurred outside the masks of regions
    mask_alpha: bool = False  # the scorer sees the regions' masks, as Alpha-CLIP does
    judge_model: str = ""  # a second model that says what is true; empty: none does
    # Least probability that a text is true; None: the judge's answers are recorded alone.
    judge_min: float | None = Field(default=None, ge=0, le=1)
    judge_sentences: bool = False  # each sentence is judged, and left out, by itself
    judge_extra_body: dict[str, Any] = Field(default_factory=dict)  # of requests to the judge
    # Largest share of runs of five words that two captions of a class have in common; None: any.
    max_alike: float | None = Field(default=None, ge=0, lt=1)
    # Largest share of a class's captions that begin with the same five words; None: any.
    max_opening: float | None = Field(default=None, gt=0, lt=1)
    measured_checks: bool = False  # leave out places that boxes, and colours that pixels contradict

    @property
    def scored_by(self) -> str | None:
        """The scorer in provenance, with its view of a region; None: captions are not scored."""
        view = _BLURRED_VIEW if self.mask_blur else _ALPHA_VIEW if self.mask_alpha else _VIEW
        return f"{self.scorer}, view {view}" if self.scorer else None

    @property
    def chosen_by(self) -> ChosenBy:
        """What decides which of several captions of a region stays; between equals, words do."""
        if self.judge_model:
            return "judge"
        return "clip" if self.scorer else "words"

    @property
    def compares(self) -> bool:
        """Whether captions of a class are compared with one another."""
        return self.max_alike is not None or self.max_opening is not None

    def judge(self, max_pixels: int) -> JudgeModel | None:
        """Return the judge, or None without one; `max_pixels` is of a picture sent to it."""
        if not self.judge_model:
            return None
        return JudgeModel(
            model=self.judge_model, extra_body=self.judge_extra_body, max_pixels=max_pixels
        )

    @property
    def judged_by(self) -> str | None:
        """The judge of a calibration, with all that its probabilities depend on."""
        if not self.judge_model:
            return None
        body = f", {json.dumps(self.judge_extra_body, sort_keys=True)}" * bool(
            self.judge_extra_body
        )
        unit = "sentence by sentence" if self.judge_sentences else "text by text"
        return f"{self.judge_model}{body}, {JUDGED.id}, {unit}"


class RecapRecipe(Recipe):
    """The recipe of a RecapD run, with exactly one source."""

    name: str = CONFIG
    # Of a region's caption, the least number; in other recipes it is of phrases.
    min_words: Annotated[int, Field(ge=0, le=MAX_CAP)] | None = MIN_WORDS
    min_side: int = Field(
        default=0, ge=0, le=MAX_CAP
    )  # of a box, pixels; smaller ones are rejected
    captioning: Captioning
    filter: Filter

    @property
    def by_flags(self) -> bool:
        """True: all settings of `recap` are flags."""
        return True

    @model_validator(mode="after")
    def _check_source_and_model(self) -> Self:
        if len(self.sources) != 1:
            raise UsageError("recap takes one source at a time")
        if self.captioning.captioner == "openai" and not self.captioning.model:
            raise UsageError(
                "--model is missing: what the server at --endpoint calls the model that shall "
                "caption. --serve MODEL starts a server; --captioner builtin needs none"
            )
        if RECAPD_ROLE in self.sources[0].paths:
            raise UsageError("recap makes captions, it reads none: leave out --path ...recapd=")
        return self

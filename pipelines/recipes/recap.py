"""What decides the captions of a RecapD run, and which of them are kept."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipelines.datasets.catalog import dataset
from pipelines.recipes.recipe import RECAPD_ROLE, Recipe
from prompts.style import Style
from schemas.errors import UsageError
from schemas.sample import Task
from transforms.subsample import Caps

CONFIG = "recapd"
BUILTIN_MODEL = "regionforge-builtin-1"  # the name of our own captioner in provenance


class Captioning(BaseModel):
    """How captions are asked for; all of it goes into provenance and the journal's fingerprint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    captioner: Literal["openai", "builtin"] = "openai"
    model: str = ""
    temperature: float = Field(default=0.2, ge=0, le=2)
    top_p: float = Field(default=1.0, gt=0, le=1)
    global_tokens: int = Field(default=256, ge=1)  # at most, of the caption of an image
    region_tokens: int = Field(default=384, ge=1)  # at most, of the caption of a region
    seed_requests: bool = False  # send each request a seed of its own, where the server takes one
    global_caption: bool = True  # begin stage 2's prompt with stage 1's answer
    class_name: bool = True  # name the annotated class in stage 2's prompt
    context: float = Field(default=0.0, ge=0, le=2)  # around the crop, as a share of its sides
    max_pixels: int = Field(default=512 * 512, ge=28 * 28)  # of a picture that is sent


class Filter(BaseModel):
    """Which captions are kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Mean CLIP similarity that is needed; None: all are kept, unscored.
    threshold: float | None = Field(default=None, ge=-1, le=1)
    scorer: str = ""  # model and weights


class RecapRecipe(Recipe):
    """A recipe that captions the regions of one source."""

    name: str = CONFIG
    captioning: Captioning
    filter: Filter

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if len(self.sources) != 1:
            raise UsageError("recap takes one source at a time")
        if self.captioning.captioner == "openai" and not self.captioning.model:
            raise UsageError("--model NAME: what the server calls the model that shall caption")
        if RECAPD_ROLE in self.sources[0].paths:
            raise UsageError("recap makes captions, it reads none: leave out --path ...recapd=")
        tasks = dataset(self.sources[0].name).tasks.get(Style.REGIONGPT, ())
        if Task.REGION_CLASSIFICATION not in tasks:
            raise UsageError(
                f"source {self.sources[0].name!r} has no boxes with class names to caption"
            )
        return self

    def tasks(self) -> dict[str, tuple[Task, ...]]:
        """Return what is made of the captions."""
        return {CONFIG: (Task.REGION_DETAILED_CAPTION,)}

    def caps(self) -> Caps:
        """Return how many regions are captioned."""
        return Caps(
            per_category={CONFIG: self.per_category} if self.per_category is not None else {},
            per_image={CONFIG: self.per_image} if self.per_image is not None else {},
            seed=self.seed,
            drawn_as={CONFIG: self.sources[0].name},
        )

    def caption_identity(self) -> dict[str, Any]:
        """Return what decides the captions, and nothing of what decides which are kept."""
        others = ("filter", "guard")
        return {name: value for name, value in self.identity().items() if name not in others}

"""The interface of captioners, which answer requests about images.

Captioners share one interface, so that a captioner can wrap another one. `OpenAICaptioner` sends
requests to servers, and `ServedCaptioner` also starts a server. `BuiltinCaptioner` makes sentences
from boxes and pixels, and `ReplayOnlyCaptioner` only raises errors. `JournaledCaptioner` wraps any
of these and writes the answers to a journal; a dry run wraps a captioner to measure its calls.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import msgspec

from schemas.geometry import Box

GivenRegion = Mapping[str, Any]  # bbox and mask, see `pipelines.recap.captioning.given`


class AnnotatedRegion(msgspec.Struct, frozen=True):
    """The box and class name of a region, from its annotation."""

    bbox: Box  # xyxy, pixels of the upright image
    category: str  # class name in plain words: "wine glass"


class CaptionTarget(msgspec.Struct, frozen=True):
    """The annotations of the image or region to caption; served models never receive them."""

    width: int  # of the upright image, pixels
    height: int
    regions: tuple[AnnotatedRegion, ...]  # all regions of the image
    region: AnnotatedRegion | None = None  # the region to caption; None: the whole image


class NamedPicture(msgspec.Struct, frozen=True):
    """A picture that is sent after a line that names it, e.g. "The mask, in white:"."""

    name: str  # empty: the picture is sent without a line
    jpeg: bytes


class PromptImage(msgspec.Struct, frozen=True):
    """The pictures that are sent with a prompt: a whole image, the crop of a region, or several."""

    jpeg: bytes | None  # None: the prompt is sent without a picture, but for those in `named`
    target: CaptionTarget | None = None  # None: the annotations are unknown
    named: tuple[NamedPicture, ...] = ()  # after `jpeg`, in order
    region: GivenRegion | None = None  # sent beside the picture, in pixels of it; None: none is

    def pictures(self) -> tuple[NamedPicture, ...]:
        """Return all pictures in the order in which they are sent."""
        return self.named if self.jpeg is None else (NamedPicture("", self.jpeg), *self.named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request to a captioner. Its picture is loaded only when a captioner needs it."""

    id: str  # e.g. coco/train/7/region/71/0, ending in the attempt; the same in every run
    image_rank: int  # hash of the image, which decides the server
    prompt: str
    load_image: Callable[[], Awaitable[PromptImage]]
    max_tokens: int  # upper limit of the answer's length
    answer_schema: Mapping[str, Any] | None = None  # JSON schema of the answer; None: any text
    yes_no: bool = False  # whether it asks for yes or no, and for the probability of yes
    refused_before: bool = False  # a server refused this request in an earlier run


class Answer(msgspec.Struct, frozen=True):
    """The text that a captioner gave, and the tokens of the call."""

    text: str
    finish: Literal["stop", "length", "other"] = "stop"  # reason for the answer's end
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    # Of the prompt's tokens, those that the server had in its cache; unset: it does not tell.
    cached_tokens: int | msgspec.UnsetType = msgspec.UNSET
    # Probability of yes against no, where that was asked for; unset: the server does not tell.
    yes: float | msgspec.UnsetType = msgspec.UNSET


class Captioner(Protocol):
    """The interface of captioners: each answers requests about images."""

    async def ask(self, request: Request) -> Answer:
        """Return the answer to a request.

        Raises:
            Rejected: this request has failed for good (`caption_failed`, `caption_filtered`);
                others may succeed.
            PictureRefused: the request's picture cannot be used.
            BuildError: the captioner can answer no request; the run must end, and can be resumed.
        """

    async def close(self) -> None:
        """Close all connections."""

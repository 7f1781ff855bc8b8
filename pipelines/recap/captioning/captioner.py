"""The interface of captioners, which answer requests about images.

There is one interface, so that captioners can wrap each other. `OpenAICaptioner` asks servers, and
`ServedCaptioner` starts one for it; `BuiltinCaptioner` measures boxes and pixels, and
`ReplayOnlyCaptioner` only raises. Around any of these, `JournaledCaptioner` writes answers down,
and a dry run takes the time of calls.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from schemas.geometry import Box


class AnnotatedRegion(msgspec.Struct, frozen=True):
    """A region as its annotation describes it."""

    bbox: Box  # xyxy, pixels of the upright image
    category: str  # as shown to readers: "wine glass"


class CaptionTarget(msgspec.Struct, frozen=True):
    """The image or region to caption, as annotations describe it; no served model sees this."""

    width: int  # of the upright image, pixels
    height: int
    regions: tuple[AnnotatedRegion, ...]  # all regions of the image
    region: AnnotatedRegion | None = None  # the one to caption; None: the whole image


class PromptImage(msgspec.Struct, frozen=True):
    """The picture that goes with a prompt: a whole image, or the crop of a region."""

    jpeg: bytes | None  # None: the prompt goes alone
    target: CaptionTarget | None = None  # None: only the picture is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call of a captioner. The picture is loaded only when some captioner needs it."""

    id: str  # e.g. coco/train/7/region/71/0, ending in the attempt; the same in every run
    image_rank: int  # hash of the image: requests about one image go to one server
    prompt: str
    load_image: Callable[[], Awaitable[PromptImage]]
    max_tokens: int  # of the answer
    refused_before: bool = False  # by an earlier run: one more refusal says nothing of the server


class Answer(msgspec.Struct, frozen=True):
    """The text that a captioner gave, and the tokens of the call."""

    text: str
    finish: Literal["stop", "length", "other"] = "stop"  # why the answer ends where it does
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Captioner(Protocol):
    """A captioner answers requests, as many at once as it allows."""

    async def ask(self, request: Request) -> Answer:
        """Return the answer to a request.

        Raises:
            Rejected: this request is refused for good (`caption_failed`); others may go on.
            PictureRefused: the picture was loaded, and cannot be used.
            BuildError: the captioner is gone; the run must end, and can be resumed.
        """

    async def close(self) -> None:
        """Close all connections."""

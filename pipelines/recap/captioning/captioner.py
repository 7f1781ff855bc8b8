"""What a captioner is: something that answers a prompt about a picture."""

from collections.abc import Awaitable, Callable
from typing import Literal, Protocol

import msgspec

from schemas.geometry import Box


class Neighbour(msgspec.Struct, frozen=True):
    """A region as annotations tell of it."""

    bbox: Box  # xyxy, pixels of the upright image
    category: str  # shown name


class Subject(msgspec.Struct, frozen=True):
    """What a request is about, as far as annotations tell; a served model never sees this."""

    width: int  # of the upright image, pixels
    height: int
    regions: tuple[Neighbour, ...]  # of the whole image
    region: Neighbour | None = None  # the one asked about; None: the whole image


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One call."""

    id: str  # source/split/image/region or "image"/attempt; unique in a run, the same in a rerun
    image_key: int  # hash of the image: requests about one image go to one endpoint
    prompt: str
    jpeg: bytes
    max_tokens: int  # of the answer
    subject: Subject
    again: bool = False  # it was refused by an earlier run: another refusal tells of no server


class Answer(msgspec.Struct, frozen=True):
    """What came back."""

    text: str
    finish: Literal["stop", "length", "other"] = "stop"  # why the answer ends where it does
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Captioner(Protocol):
    """Answers requests, as many at once as it allows."""

    @property
    def model(self) -> str:
        """What provenance calls it."""

    @property
    def sampling(self) -> dict[str, float | int | str]:
        """The parameters it samples with, for provenance; no secrets."""

    async def ask(self, request: Request) -> Answer:
        """Return the answer.

        Raises:
            Rejected: this request is refused for good (`caption_failed`); others may go on.
            BuildError: the captioner is gone; the run must end, and can be resumed.
        """

    async def close(self) -> None:
        """Let go of connections."""


class Asks(Protocol):
    """Answers requests that are only made where the answer is not known."""

    async def ask(self, request_id: str, build: Callable[[], Awaitable[Request]]) -> Answer:
        """Return the answer to a request.

        Args:
            request_id: of the request.
            build: makes the request, which may need a picture.

        Raises:
            Rejected: the request is refused for good.
        """

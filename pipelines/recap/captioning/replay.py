"""A captioner and a scorer that make nothing: answers and scores can only come from journals."""

from collections.abc import Sequence
from typing import NoReturn

from PIL import Image

from pipelines.recap.captioning.captioner import Answer, Request
from pipelines.recap.clip.scorer import Score
from schemas.errors import BuildError


class ReplayOnlyCaptioner:
    """A captioner for a run whose answers must all be in its journals."""

    async def ask(self, request: Request) -> Answer:
        """Raise `BuildError`, since the journal has no answer to this request."""
        raise BuildError(
            f"request {request.id} was never answered about the picture as it is now, and "
            "--refilter calls no captioner: run the same with --threshold S for --refilter S"
        )

    async def close(self) -> None:
        """Do nothing, since this captioner has no connection."""


class WrittenDownCaptioner:
    """A captioner for the second pass of a run, whose first pass wrote all answers down."""

    async def ask(self, request: Request) -> Answer:
        """Raise `BuildError`, since the journal has no answer to this request."""
        _changed(f"request {request.id}")

    async def close(self) -> None:
        """Do nothing, since this captioner has no connection."""


class WrittenDownScorer:
    """A scorer for the second pass of a run, whose first pass wrote all scores down."""

    def __init__(self, identity: str) -> None:
        """Make a scorer under the identity of the first pass's."""
        self.identity = identity

    def score(self, crops: Sequence[Image.Image], captions: Sequence[str]) -> list[Score]:
        """Raise `BuildError`, since the journal lacks these scores."""
        _changed(f"the score of {captions[0]!r}")


def _changed(what: str) -> NoReturn:
    raise BuildError(
        f"{what} was written down, and is not there any more: a picture or a journal changed while "
        "the run was going. Run the same command again."
    )

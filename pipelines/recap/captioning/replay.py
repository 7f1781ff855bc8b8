"""The captioner of `--refilter`, which can only take answers from journals."""

from pipelines.recap.captioning.captioner import Answer, Request
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

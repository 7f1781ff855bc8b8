"""The captioner of `--refilter`: a run that only replays its journal has nobody to ask."""

from pipelines.recap.captioning.captioner import Answer, Request
from schemas.errors import BuildError


class ReplayOnlyCaptioner:
    """A captioner for runs whose answers must all be in their journals."""

    async def ask(self, request: Request) -> Answer:
        """Raise `BuildError`: this request was never answered."""
        raise BuildError(
            f"request {request.id} was never answered about the picture as it is now, and "
            "--refilter asks nobody: run the same with --threshold S for --refilter S"
        )

    async def close(self) -> None:
        """Do nothing: there is no connection."""

"""The captioner of `--refilter`, which must not ask anybody anything."""

from pipelines.recap.captioning.captioner import Answer, Captioner, Request
from schemas.errors import BuildError


class MuteCaptioner:
    """Stands in for the captioner of a run that has ended; all answers must be in its journal."""

    def __init__(self, inner: Captioner) -> None:
        self._inner = inner

    @property
    def model(self) -> str:
        """That of the captioner it stands in for."""
        return self._inner.model

    @property
    def sampling(self) -> dict[str, float | int | str]:
        """That of the captioner it stands in for."""
        return self._inner.sampling

    async def ask(self, request: Request) -> Answer:
        """Raise `BuildError`: there is a request that was never answered."""
        raise BuildError(
            f"request {request.id} was never answered about the picture as it is now, and "
            "--refilter asks nobody: run the same with --threshold S for --refilter S"
        )

    async def close(self) -> None:
        """Close the captioner it stands in for."""
        await self._inner.close()

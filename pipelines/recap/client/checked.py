"""A captioner whose servers are checked before their first request, and the step that is shared."""

import asyncio
from collections.abc import Awaitable, Callable

from pipelines.recap.captioning.captioner import Answer, Request
from pipelines.recap.client.canary import check_servers_see_images
from pipelines.recap.client.captioner import OpenAICaptioner


class Once:
    """A step that is done once, by the first of all who need it; the others wait for it."""

    def __init__(self, step: Callable[[], Awaitable[None]]) -> None:
        self._step = step
        self._task: asyncio.Task[None] | None = None

    async def done(self) -> None:
        """Return when the step is done, or raise its error, which stays."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())
        await asyncio.shield(self._task)

    def cancel(self) -> None:
        """Stop the step if it is under way."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        await self._step()


class CheckedCaptioner:
    """A captioner that checks its servers before it sends the first request: that they see images.

    A run whose answers are all in its journals sends nothing, and needs no server.
    """

    def __init__(
        self,
        inner: OpenAICaptioner,
        check: Callable[[OpenAICaptioner], Awaitable[None]] = check_servers_see_images,
    ) -> None:
        """Wrap a captioner; `check` raises `BuildError` where one of its servers is unfit."""
        self._inner = inner
        self._checked = Once(lambda: check(self._inner))

    async def ask(self, request: Request) -> Answer:
        """Return the answer as `Captioner.ask` does; raise `BuildError` if a server is unfit."""
        await self.check()
        return await self._inner.ask(request)

    async def check(self) -> None:
        """Check the servers, unless that is done; raise `BuildError` if one is unfit."""
        await self._checked.done()

    async def close(self) -> None:
        """Close all connections."""
        self._checked.cancel()
        await self._inner.close()

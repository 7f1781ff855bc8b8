"""A captioner with a server of its own, which is started for the first request."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pipelines.recap.captioning.captioner import Answer, Request
from pipelines.recap.client.canary import check_servers_see_images
from pipelines.recap.client.captioner import OpenAICaptioner
from pipelines.recap.client.checked import Once
from pipelines.recap.serving.server import Server
from schemas.errors import BuildError
from schemas.rejection import Rejected

_T = TypeVar("_T")


class ServedCaptioner:
    """A captioner that sends requests to a `Server`, and starts the server for the first one."""

    def __init__(
        self,
        make: Callable[[], OpenAICaptioner],
        server: Server,
        *,
        checked: bool = True,
        pictures: int = 1,
    ) -> None:
        """Prepare the client on the running event loop; the server is not started yet.

        Args:
            make: makes the client.
            server: the server to start.
            checked: whether it is checked that the server sees images.
            pictures: the largest number of pictures in a call.
        """
        self._inner = make()
        self._server = server
        self._checked = checked
        self._pictures = pictures
        self._lost = asyncio.wrap_future(server.lost)
        self._opened = Once(self._open)

    async def ask(self, request: Request) -> Answer:
        """Return the answer as `Captioner.ask` does; raise `BuildError` if the server is lost."""
        await self._opened.done()
        try:
            answer = await self._unless_lost(self._inner.ask(request))
        except Rejected:
            self._server.progressed()
            raise
        self._server.progressed()
        return answer

    async def close(self) -> None:
        """Close all connections, but do not stop the server."""
        self._opened.cancel()
        await self._inner.close()

    async def _open(self) -> None:
        self._server.start()
        await self._unless_lost(asyncio.wrap_future(self._server.ready))
        if self._checked:
            await self._unless_lost(check_servers_see_images(self._inner, self._pictures))

    async def _unless_lost(self, work: Awaitable[_T]) -> _T:
        task = asyncio.ensure_future(work)
        try:
            either: set[asyncio.Future[Any]] = {task, self._lost}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise BuildError(self._lost.result())
            return task.result()
        finally:
            task.cancel()

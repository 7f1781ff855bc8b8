"""A server of OpenAI's chat completions for one model.

    POST /v1/chat/completions    see `model.serve.chat_request`
    GET /v1/models               the one model
    GET /health                  200 while it answers, 503 while its engine starts anew

A request is refused before it is read where too many wait, and given up where it takes too long. A
client that goes away ends its answer. Prompts are prepared in one thread, and an engine generates
the answers (`model.serve.engine`).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from model.serve.batching import Batcher
from model.serve.chat_reply import Reply, model_list, refusal, refusal_event
from model.serve.chat_request import ChatRequest, RequestError, read_request
from model.serve.engine import BusyError, Engine, GenerationError
from model.serve.opened import OpenedModel
from schemas import console

_ENDING = 10.0  # seconds that open requests get when the server ends
_LAST_WORDS = 2.0  # seconds for the event that tells why a stream ends
_BUSY = "too many requests wait: try again"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of a server.

    batch: requests that are answered together.
    waiting: requests that wait for that, at most.
    body: bytes of a request's body.
    tokens: of an answer.
    seconds: from a request's first byte to the end of its answer.
    window: the time in seconds for which a batch waits for more requests.
    """

    batch: int = 16
    waiting: int = 64
    body: int = 32 * 2**20
    tokens: int = 512
    seconds: float = 120.0
    window: float = 0.01


class ChatServer:
    """The handlers of requests, and what they share.

    Attributes:
        app: the application of aiohttp.
        answered: the number of requests that were answered.
        refused: the number of those that were refused, or failed.
    """

    def __init__(
        self, opened: OpenedModel, name: str, limits: Limits, engine: Engine | None = None
    ) -> None:
        """Make the handlers.

        Args:
            opened: the model.
            name: the model's, in requests.
            limits: see there.
            engine: what generates; None: this process, in micro-batches.
        """
        self.answered = self.refused = 0
        self._opened, self._name, self._limits = opened, name, limits
        self._created = int(time.time())
        self._open = 0
        self._engine = engine or Batcher(
            opened, most=limits.batch, waiting=limits.waiting, window=limits.window
        )
        self._thread = ThreadPoolExecutor(1, "prepare")
        self.app = web.Application(client_max_size=limits.body, middlewares=[self._refusals])
        self.app.router.add_get("/health", self._health)
        self.app.router.add_get("/v1/models", self._models)
        self.app.router.add_post("/v1/chat/completions", self._chat)

    async def listen(
        self, host: str, port: int, stop: asyncio.Event, ready: Callable[[int], None]
    ) -> None:
        """Answer requests until `stop` is set; open ones are then brought to their ends.

        Args:
            host: the address to listen at.
            port: 0: a free one.
            stop: see above.
            ready: is called with the port when requests are taken.

        Raises:
            OSError: the address cannot be listened at.
        """
        runner = web.AppRunner(
            self.app, access_log=None, handler_cancellation=True, shutdown_timeout=_ENDING
        )
        await runner.setup()
        answering = asyncio.create_task(self._engine.run())
        stopping = asyncio.create_task(stop.wait())
        try:
            site = web.TCPSite(runner, host, port)
            await site.start()
            ready(runner.addresses[0][1])
            await asyncio.wait({answering, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await runner.cleanup()
            for task in (stopping, answering):
                task.cancel()
            self._thread.shutdown(wait=False, cancel_futures=True)
            with suppress(asyncio.CancelledError):
                await answering  # raises what ended it, if something has

    async def _health(self, request: web.Request) -> web.Response:
        if not self._engine.is_up:
            return _json(b'{"status":"starting"}', 503)
        return _json(b'{"status":"ok"}')

    async def _models(self, request: web.Request) -> web.Response:
        longest = self._opened.processor.max_length
        return _json(model_list(self._name, self._created, longest))

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        if self._open >= self._limits.waiting + self._limits.batch:
            raise BusyError
        self._open += 1
        until = asyncio.get_running_loop().time() + self._limits.seconds
        try:
            async with self._within(until):
                chat = await self._prepared(await request.read())
            reply = Reply(self._name, chat)
            if chat.stream:
                return await self._streamed(request, reply, until)
            async with self._within(until):
                answer = await self._engine.answer(chat.example, chat.settings)
        finally:
            self._open -= 1
        self.answered += 1
        return _json(reply.whole(answer))

    @asynccontextmanager
    async def _within(self, until: float) -> AsyncIterator[None]:
        """Raise `RequestError` where a block lasts longer than to a time of the loop's clock."""
        try:
            async with asyncio.timeout_at(until):
                yield
        except TimeoutError:
            message = f"the answer took more than {self._limits.seconds:g} s"
            raise RequestError(message, status=504) from None

    async def _prepared(self, body: bytes) -> ChatRequest:
        loop = asyncio.get_running_loop()
        arguments = (body, self._opened, self._name, self._limits.tokens)
        return await loop.run_in_executor(self._thread, read_request, *arguments)

    async def _streamed(
        self, request: web.Request, reply: Reply, until: float
    ) -> web.StreamResponse:
        """Send an answer word by word.

        The status is sent with the first word; of what goes wrong later, an event tells.
        """
        loop, parts = asyncio.get_running_loop(), asyncio.Queue[str | None]()

        def on_text(text: str) -> None:
            with suppress(RuntimeError):  # the loop has closed
                loop.call_soon_threadsafe(parts.put_nowait, text)

        chat = reply.request
        answering = asyncio.create_task(self._engine.answer(chat.example, chat.settings, on_text))
        answering.add_done_callback(lambda _: parts.put_nowait(None))
        response = web.StreamResponse(headers={"Cache-Control": "no-cache"})
        response.content_type = "text/event-stream"
        try:
            async with self._within(until):
                part = await parts.get()
                if part is None:
                    await answering  # raises what went wrong, before anything was sent
            await response.prepare(request)
            try:
                async with self._within(until):
                    await response.write(reply.begin())
                    while part is not None:
                        await response.write(reply.part(part))
                        part = await parts.get()
                    await response.write(reply.end(await answering))
                self.answered += 1
            except (GenerationError, RequestError) as error:
                self.refused += 1
                with suppress(TimeoutError):  # a client that does not read
                    async with asyncio.timeout(_LAST_WORDS):
                        await response.write(refusal_event(str(error), 500))
            return response
        finally:
            answering.cancel()

    @web.middleware
    async def _refusals(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Turn errors into replies as OpenAI's clients know them."""
        try:
            return await handler(request)
        except RequestError as error:
            content = refusal(str(error), error.status, error.param, error.code)
            return self._refused(content, error.status)
        except BusyError:
            return self._refused(refusal(_BUSY, 503), 503)
        except GenerationError as error:
            return self._refused(refusal(str(error), error.status), error.status)
        except web.HTTPException as error:
            message = str(error.reason)
            if error.status == 413:
                message = f"the request has more than {self._limits.body} bytes"
            return self._refused(refusal(message, error.status), error.status)

    def _refused(self, content: bytes, status: int) -> web.Response:
        self.refused += 1
        console.detail(f"refused with status {status}")
        headers = {"Retry-After": "1"} if status == 503 else {}
        return _json(content, status, headers)


def _json(content: bytes, status: int = 200, headers: Any = None) -> web.Response:
    return web.Response(
        body=content, status=status, content_type="application/json", headers=headers
    )

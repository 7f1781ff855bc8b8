r"""The engine that sends the embeddings of prompts to a vLLM, and takes tokens as they come.

    POST /v1/completions    {"prompt_embeds": base64 of what `torch.save` writes, ...}
    data: {"choices": [{"token_ids": [278, 2654], "finish_reason": null, ...}], ...}
    data: [DONE]

An answer's text is made of its tokens here, as that of the other engine is. A request that ends is
closed, which ends it in vLLM too.
"""

import asyncio
import base64
import io
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
import msgspec
import torch

from model.batch import Example
from model.serve.answering import PendingAnswer, Settings, most_tokens, stop_tokens
from model.serve.engine import EngineDownError, GenerationError
from model.serve.opened import OpenedModel
from pipelines.recap.serving.server import Server
from schemas.errors import RegionForgeError
from schemas.json_decoding import decode

MODEL = "language"  # the name of the language model in requests
_EVENT = b"data:"
_DONE = b"[DONE]"
_SHOWN = 300  # characters of an error


class _Choice(msgspec.Struct):
    token_ids: list[int] | None = None
    finish_reason: str | None = None


class _Event(msgspec.Struct):
    choices: list[_Choice] = []
    error: Any = None


_DECODER = msgspec.json.Decoder(_Event)


class VllmEngine:
    """The engine that has a vLLM generate."""

    def __init__(self, opened: OpenedModel, server: Server) -> None:
        """Make an engine.

        Args:
            opened: the model; of its language model, the table of words is needed alone.
            server: the vLLM, which serves the language model under the name `MODEL`.
        """
        self._opened = opened
        self._server = server
        self._ends = stop_tokens(opened.model, opened.processor)
        self._thread = ThreadPoolExecutor(1, "embed")
        self._session: aiohttp.ClientSession | None = None
        self._is_up = True

    @property
    def is_up(self) -> bool:
        """Whether the last request found vLLM there."""
        return self._is_up

    async def answer(
        self,
        example: Example,
        settings: Settings,
        on_text: Callable[[str], None] | None = None,
    ) -> PendingAnswer:
        """Return the answer to a prompt, see `Engine.answer`."""
        limit = most_tokens(settings, self._opened.processor, len(example.input_ids))
        loop = asyncio.get_running_loop()
        embedded = await loop.run_in_executor(self._thread, self._embedded, example)
        answer = PendingAnswer(self._opened.processor, settings, on_text)
        body = self._body(embedded, settings, limit)
        try:
            async for choice in self._choices(body):
                for token in choice.token_ids or ():
                    answer.add(token, self._ends, limit)
                if answer.end is not None:
                    break
                if choice.finish_reason == "stop" and self._ends:  # its last token was held back
                    answer.add(self._ends[0], self._ends, limit)
        except aiohttp.ClientError as error:
            self._is_up = False
            raise EngineDownError(f"vLLM is started anew: {type(error).__name__}") from None
        if answer.end is None:
            raise GenerationError("vLLM ended the answer too early")
        self._is_up = True
        self._server.progressed()
        return answer

    async def run(self) -> None:
        """Watch over vLLM until it is given up, or this is cancelled."""
        try:
            reason = await asyncio.shield(asyncio.wrap_future(self._server.lost))
            raise RegionForgeError(reason)
        finally:
            self._thread.shutdown(wait=False, cancel_futures=True)
            if self._session is not None:
                await self._session.close()

    def _embedded(self, example: Example) -> str:
        """Return the embeddings of a prompt, [T, D], as vLLM takes them."""
        inputs = self._opened.processor.collate([example]).to(self._opened.model.device)
        mask = inputs.pop("attention_mask")
        assert mask.all(), "one row has no padding"
        with torch.inference_mode():
            (rows,) = self._opened.model.embed(**inputs)
        stored = io.BytesIO()
        torch.save(rows.cpu().clone(), stored)
        return base64.b64encode(stored.getbuffer()).decode()

    def _body(self, embedded: str, settings: Settings, limit: int) -> bytes:
        return msgspec.json.encode(
            {
                "model": MODEL,
                "prompt_embeds": embedded,
                "max_tokens": limit,
                "temperature": settings.temperature,
                "top_p": settings.top_p,
                "seed": settings.seed,
                "stop_token_ids": list(self._ends),
                "stream": True,
                "return_token_ids": True,
            }
        )

    async def _choices(self, body: bytes) -> AsyncIterator[_Choice]:
        """Yield the parts of an answer as vLLM sends them.

        Raises:
            GenerationError: vLLM refuses the request, or fails.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None))
        headers = {
            "Authorization": f"Bearer {self._server.key}",
            "Content-Type": "application/json",
        }
        url = f"{self._server.url}/completions"
        async with self._session.post(url, data=io.BytesIO(body), headers=headers) as reply:
            if reply.status != 200:
                text = await reply.text(errors="replace")
                raise GenerationError(f"vLLM answers {reply.status}: {text[:_SHOWN]}")
            async for line in reply.content:
                content = line.removeprefix(_EVENT).strip()
                if not line.startswith(_EVENT) or content == _DONE:
                    continue
                event = decode(_DECODER, content)
                if event.error is not None:
                    raise GenerationError(f"vLLM fails: {str(event.error)[:_SHOWN]}")
                for choice in event.choices:
                    yield choice

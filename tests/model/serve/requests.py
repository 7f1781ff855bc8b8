"""Requests to a server that listens while a test talks with it."""

import asyncio
import base64
import io
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import numpy as np
from PIL import Image

from model.serve.engine import Engine
from model.serve.server import ChatServer, Limits

PICTURE = Image.fromarray(np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3))
BOX = [1, 2, 30, 40]


def url_of(picture, kind="PNG"):
    stored = io.BytesIO()
    picture.save(stored, kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(stored.getvalue()).decode()}"


def user(*texts, url=None):
    parts = [{"type": "image_url", "image_url": {"url": url}}] if url else []
    return {"role": "user", "content": [*parts, *({"type": "text", "text": t} for t in texts)]}


URL = url_of(PICTURE)
HELLO: dict[str, Any] = {
    "model": "tiny",
    "messages": [{"role": "user", "content": "Hello"}],
    "max_tokens": 4,
}


def served(opened, talk: Callable, engine: Callable[[], Engine] | None = None, **limits):
    """What a coroutine returns that talks with a server of a model, at an address."""

    async def run():
        chat = ChatServer(opened, "tiny", Limits(**limits), engine and engine())
        stop, address = asyncio.Event(), asyncio.get_running_loop().create_future()
        listening = asyncio.create_task(chat.listen("127.0.0.1", 0, stop, address.set_result))
        try:
            return await talk(f"http://127.0.0.1:{await address}", chat)
        finally:
            stop.set()
            await listening

    return asyncio.run(run())


async def post(address, body, path="/v1/chat/completions", **options):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with (
        aiohttp.ClientSession() as session,
        session.post(address + path, data=io.BytesIO(content), **options) as reply,
    ):
        return reply.status, json.loads(await reply.read())


def posted(opened, body, **limits):
    async def talk(address, _):
        return await post(address, body)

    return served(opened, talk, **limits)

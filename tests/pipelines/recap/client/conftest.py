"""A server in this process that sees colours, and shapes its answers as a function of a test says.

It answers a question for a colour by the mean colour of the picture, and all else by a sentence.
"""

import asyncio
import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from PIL import Image

from pipelines.recap.client.canary import check_servers_see_images
from schemas.errors import BuildError

SAID = "A drawn shape with clear edges lies on a plain, light background next to a second one."
PICTURE_TOKENS = 256


@dataclass
class Sent:
    """A request, and the reply that a plain server would give to it."""

    path: str  # with its query
    headers: dict[str, str]  # by name in small letters
    body: dict[str, Any]
    size: int  # bytes of the body
    prompt: str
    has_picture: bool
    first: bool  # whether nothing of the same content was sent before
    said: str
    usage: Any
    message: dict[str, Any] = field(default_factory=dict)
    finish: Any = "stop"

    @property
    def asks_colour(self) -> bool:
        """Whether it is a question of the check before a run."""
        return "colour" in self.prompt.lower() and "one word" in self.prompt.lower()

    def completion(self, **fields: Any) -> dict[str, Any]:
        """A reply in OpenAI's format, with some fields changed."""
        choice = {"index": 0, "message": self.message, "finish_reason": self.finish}
        whole = {"id": "x", "object": "chat.completion", "choices": [choice], "usage": self.usage}
        return whole | fields


@dataclass
class Reply:
    """What goes back: a status, a body, and headers."""

    status: int
    body: Any  # bytes, or a value of JSON
    headers: dict[str, str] = field(default_factory=dict)


Behaviour = Callable[[Sent], "Reply | dict[str, Any] | None"]  # None: the plain reply


class SeeingServer:
    """A server of the chat API that sees colours, and behaves as it is told."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.sent: list[Sent] = []
        self._seen: set[str] = set()
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                sent = server.read(self.path, headers, raw)
                reply = behaviour(sent)
                if not isinstance(reply, Reply):
                    reply = Reply(200, sent.completion() if reply is None else reply)
                body = reply.body
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        class Http(ThreadingHTTPServer):
            request_queue_size = 64
            daemon_threads = True

        self.http = Http(("127.0.0.1", 0), Handler)
        self.root = f"http://127.0.0.1:{self.http.server_port}"
        self.url = f"{self.root}/v1"

    def read(self, path: str, headers: dict[str, str], raw: bytes) -> Sent:
        """Return a request with the reply that a plain server would give to it."""
        body = json.loads(raw)
        content, jpeg = body["messages"][-1]["content"], b""
        prompt = content if isinstance(content, str) else ""
        for part in content if isinstance(content, list) else ():
            if part["type"] == "text":
                prompt += part["text"]
            else:
                jpeg = base64.b64decode(part["image_url"]["url"].partition(",")[2])
        words = len(prompt.split())
        with self._lock:
            key = f"{prompt}\n{hash(jpeg)}"
            first = key not in self._seen
            self._seen.add(key)
        usage = {"prompt_tokens": words + PICTURE_TOKENS * bool(jpeg), "completion_tokens": 3}
        sent = Sent(path, headers, body, len(raw), prompt, bool(jpeg), first, "", usage)
        sent.said = SAID
        if sent.asks_colour:
            sent.said = _colour(jpeg) if jpeg else "I see no picture"
        sent.message = {"role": "assistant", "content": sent.said}
        self.sent.append(sent)
        return sent


def _colour(jpeg: bytes) -> str:
    with Image.open(io.BytesIO(jpeg)) as image:
        pixel = image.convert("RGB").resize((1, 1)).getpixel((0, 0))
    assert isinstance(pixel, tuple)
    red, green, blue = pixel
    if red > 180 and green > 180:
        return "yellow"
    return max((red, "red"), (green, "green"), (blue, "blue"))[1]


@pytest.fixture
def seeing() -> Iterator[Callable[[Behaviour], SeeingServer]]:
    """Starts a server that sees colours, given its behaviour."""
    running: list[SeeingServer] = []

    def start(behaviour: Behaviour) -> SeeingServer:
        server = SeeingServer(behaviour)
        thread = threading.Thread(
            target=server.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        thread.start()
        running.append(server)
        return server

    yield start
    for server in running:
        server.http.shutdown()
        server.http.server_close()


@pytest.fixture
def reply() -> type[Reply]:
    """Makes a reply with a status, a body and headers."""
    return Reply


@pytest.fixture
def check_and_ask(make_captioner: Any, make_requests: Any) -> Callable[..., list[Any]]:
    """Checks a server as a run does, then asks; an error of the check is the only outcome."""

    def run(url: str, number: int = 2, **fields: Any) -> list[Any]:
        async def ask() -> list[Any]:
            captioner = make_captioner(url, **({"patience": 3.0} | fields))
            try:
                await check_servers_see_images(captioner)
                asked = map(captioner.ask, make_requests(number))
                return await asyncio.gather(*asked, return_exceptions=True)
            except BuildError as error:
                return [error]
            finally:
                await captioner.close()

        return asyncio.run(ask())

    return run

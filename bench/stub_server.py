"""A server that answers like a vision-language model behind OpenAI's chat API, and fails on order.

    python bench/stub_server.py [--port N] [--log FILE] [--script FILE]

It prints its port and serves until its standard input ends. The answer is made of words chosen by
the hash of model, prompt and picture, so that runs can be compared; a question for one word is
answered with the colour of the picture. The script is JSON: any fields of `Script`. The log has a
line of JSON for each request, written when its fate is sealed.
"""

import argparse
import asyncio
import base64
import json
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from io import BytesIO
from pathlib import Path
from typing import Any

COLOURS = {"Red": (220, 30, 30), "Green": (30, 160, 30), "Blue": (30, 60, 220)}
COLOURS |= {"Yellow": (240, 220, 30), "Black": (10, 10, 10), "White": (245, 245, 245)}
WORDS = (
    ("small", "tall", "old", "bright", "narrow", "round", "plain", "heavy"),
    ("bottle", "animal", "table", "vehicle", "person", "plant", "building", "tool"),
    ("in front of", "next to", "behind", "above", "below", "close to", "far from", "near"),
    ("wall", "window", "tree", "road", "shelf", "river", "fence", "lamp"),
    ("soft", "strong", "warm", "cold", "even", "weak", "golden", "grey"),
)
IMAGE_TOKENS = 256
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}
REASONS |= {429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable"}


@dataclass(frozen=True, slots=True)
class Rule:
    """What to do with requests whose id matches, instead of answering at once."""

    match: str = ".*"  # of the request's id
    attempts: list[int] | None = None  # which of its attempts, from 0; None: all
    status: int = 200
    retry_after: str | None = None
    delay: float = 0.0  # seconds before the answer
    cut: bool = False  # close the connection half way through the answer
    refuse: float | None = None  # cut, and accept no connection for so many seconds
    answer: str | None = None  # malformed, no_choices, empty, length; else the text


@dataclass(frozen=True, slots=True)
class Script:
    """How the server behaves."""

    rules: list[Rule] = field(default_factory=list)  # the first that fits
    delay: float = 0.0  # seconds that each answer takes
    capacity: int | None = None  # more at a time get status 429
    blind: bool = False  # pictures are dropped
    spells: bool = False  # pictures are read as text, letter by letter
    noisy: bool = False  # no answer is like another
    usage: bool = True  # tokens are reported
    api_key: str | None = None  # others get status 401, which repeats theirs

    @staticmethod
    def read(path: str | None) -> "Script":
        """Read a script."""
        said = json.loads(Path(path).read_text("utf-8")) if path else {}
        return Script(**{**said, "rules": [Rule(**rule) for rule in said.get("rules", [])]})


@dataclass(slots=True)
class Call:
    """One request."""

    id: str
    attempt: int
    began: float
    prompt: str = ""
    picture: bytes = b""  # base64 of it
    fields: dict[str, Any] = field(default_factory=dict)


class Model:
    """Says what is answered, and with which status."""

    def __init__(self, script: Script, log: str | None) -> None:
        self.script = script
        self.in_flight = 0
        self._seen: Counter[str] = Counter()
        self._log = open(log, "ab", buffering=0) if log else None

    def call(self, request_id: str, body: bytes) -> Call:
        """Take a request in."""
        call = Call(request_id, self._seen[request_id], time.monotonic())
        self._seen[request_id] += 1
        call.fields = json.loads(body)
        content = call.fields["messages"][-1]["content"]
        if isinstance(content, str):
            call.prompt = content
            return call
        for part in content:
            if part["type"] == "text":
                call.prompt += part["text"]
            else:
                kind, call.picture = part["image_url"]["url"].encode().split(b",", 1)
                assert kind == b"data:image/jpeg;base64"
        return call

    def rule(self, call: Call) -> Rule:
        """Return what to do with it."""
        for rule in self.script.rules:
            if rule.attempts is None or call.attempt in rule.attempts:
                if re.search(rule.match, call.id):
                    return rule
        return Rule()

    def log(self, call: Call, status: int | str) -> None:
        """Write down what became of a request."""
        if self._log is None:
            return
        line = {
            "id": call.id,
            "attempt": call.attempt,
            "status": status,
            "began": call.began,
            "ended": time.monotonic(),
            "in_flight": self.in_flight,
            "seed": call.fields.get("seed"),
        }
        self._log.write(json.dumps(line).encode() + b"\n")

    def answer(self, call: Call, how: str | None) -> bytes:
        """Return the body of an answer."""
        if how == "malformed":
            return b'{"id": "chatcmpl-0", "choices": [{"mess'
        text = "" if how == "empty" else self._text(call)
        if how not in {None, "empty", "length", "no_choices"}:
            text = str(how)
        choice = {
            "index": 0,
            "finish_reason": "length" if how == "length" else "stop",
            "message": {"role": "assistant", "content": text},
        }
        said: dict[str, Any] = {
            "id": "chatcmpl-0",
            "object": "chat.completion",
            "created": 0,
            "model": call.fields["model"],
            "choices": [] if how == "no_choices" else [choice],
        }
        if self.script.usage:
            said["usage"] = self._usage(call, text)
        return json.dumps(said).encode()

    def _usage(self, call: Call, text: str) -> dict[str, int]:
        read = len(call.prompt.split())
        if self.script.spells:
            read += len(call.picture) // 2
        elif call.picture and not self.script.blind:
            read += IMAGE_TOKENS
        written = len(text.split())
        total = read + written
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": total}

    def _text(self, call: Call) -> str:
        picture = b"" if self.script.blind else call.picture
        noise = str(call.began) if self.script.noisy else ""
        said = f"{call.fields['model']}\n{call.prompt}\n{noise}\n".encode()
        digest = blake2b(said + picture, digest_size=16).digest()
        if "one word" in call.prompt:
            if picture and not self.script.spells:
                return _colour(picture)
            return list(COLOURS)[digest[0] % len(COLOURS)]
        words = [words[digest[n] % len(words)] for n, words in enumerate(WORDS)]
        return "There is a {} {} {} a {}, in {} light.".format(*words)


def _colour(picture: bytes) -> str:
    from PIL import Image

    with Image.open(BytesIO(base64.b64decode(picture))) as image:
        found = image.convert("RGB").resize((1, 1)).getpixel((0, 0))
    assert isinstance(found, tuple)
    near = {
        name: sum((a - b) ** 2 for a, b in zip(found, colour, strict=True))
        for name, colour in COLOURS.items()
    }
    return min(near, key=lambda name: near[name])


class Connection(asyncio.Protocol):
    """One connection: requests come one after the other."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._room = bytearray()
        self._needed = 0  # bytes until the request is whole; 0: unknown
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._server.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes in, and a request when it is whole."""
        self._room += data
        if not self._needed:
            if (end := self._room.find(b"\r\n\r\n")) < 0:
                return
            found = re.search(rb"\r\ncontent-length: *(\d+)", self._room[:end], re.IGNORECASE)
            self._needed = end + 4 + (int(found[1]) if found else 0)
        if len(self._room) >= self._needed:
            request, self._room = bytes(self._room[: self._needed]), self._room[self._needed :]
            self._needed = 0
            self._task = asyncio.get_running_loop().create_task(self._server.serve(self, request))

    def reply(self, status: int, body: bytes, *more: str) -> bytes:
        """Return an answer as it goes over the wire."""
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}", *more]
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode() + body


class Server:
    """Listens, and now and then does not."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.connections: set[Connection] = set()

    async def listen(self, port: int) -> int:
        """Begin to accept connections and return the port."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            lambda: Connection(self), "127.0.0.1", port, backlog=1024
        )
        self._port = int(self._listener.sockets[0].getsockname()[1])
        return self._port

    async def serve(self, at: Connection, request: bytes) -> None:
        """Do with a request what the script says."""
        head, _, body = request.partition(b"\r\n\r\n")
        if not head.startswith(b"POST"):
            at.transport.write(at.reply(200, b'{"object": "list", "data": []}'))
            return
        found = re.search(rb"\r\nx-request-id: *([^\r]+)", head, re.IGNORECASE)
        call = self._model.call(found[1].decode() if found else "", body)
        self._model.in_flight += 1
        status: int | str = "cut"
        try:
            status = await self._respond(at, call, head)
        finally:
            self._model.log(call, status)
            self._model.in_flight -= 1

    async def _respond(self, at: Connection, call: Call, head: bytes) -> int | str:
        script, rule = self._model.script, self._model.rule(call)
        key = re.search(rb"\r\nauthorization: *Bearer ([^\r]+)", head, re.IGNORECASE)
        given = key[1].decode() if key else ""
        if script.api_key is not None and given != script.api_key:
            return self._refuse(at, 401, f"Incorrect API key provided: {given}", None)
        if script.capacity is not None and self._model.in_flight > script.capacity:
            return self._refuse(at, 429, "too many at a time", None)
        if rule.refuse is not None:
            await self._stop_listening(rule.refuse)
            return "refused"
        if delay := script.delay + rule.delay:
            await asyncio.sleep(delay)
        if rule.status != 200:
            return self._refuse(at, rule.status, "as the script says", rule.retry_after)
        reply = at.reply(200, self._model.answer(call, rule.answer))
        if at.transport.is_closing():
            return "gone"
        if rule.cut:
            at.transport.write(reply[: len(reply) // 2])
            at.transport.close()
            return "cut"
        at.transport.write(reply)
        return 200

    def _refuse(self, at: Connection, status: int, why: str, retry_after: str | None) -> int:
        body = json.dumps({"error": {"message": why, "code": status}}).encode()
        more = [] if retry_after is None else [f"Retry-After: {retry_after}"]
        at.transport.write(at.reply(status, body, *more))
        return status

    async def _stop_listening(self, seconds: float) -> None:
        self._listener.close()
        for connection in list(self.connections):
            connection.transport.abort()
        await asyncio.sleep(seconds)
        await self.listen(self._port)


async def _main(args: argparse.Namespace) -> None:
    server = Server(Model(Script.read(args.script), args.log))
    print(await server.listen(args.port), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", metavar="FILE")
    parser.add_argument("--script", metavar="FILE")
    asyncio.run(_main(parser.parse_args()))

"""A stub of a vision-language model behind OpenAI's chat API, which also fails as a script says.

    python -m bench.stub_server [--port N] [--log FILE] [--script FILE]

The server prints its port and runs until its standard input ends. The words of an answer are chosen
by a hash of model, prompt and picture, so that runs can be compared; a prompt with "one word" is
answered with the colour of the picture. The script is a JSON object with any fields of `Script`,
e.g. `{"delay": 0.05, "rules": [{"match": "region/71", "status": 500}]}`. The log has a line of JSON
for each request, written just before the answer is sent.
"""

import argparse
import asyncio
import json
import re
import sys
import time
from collections.abc import Sequence
from email.utils import formatdate
from urllib.parse import unquote

from bench.stub_model import Call, Model, Rule, Script


class Connection(asyncio.Protocol):
    """A client's connection, with one request at a time."""

    transport: asyncio.Transport

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._room = bytearray()
        self._needed = 0  # bytes of the whole request; 0: unknown
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the transport of a new connection."""
        self.transport = transport
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Remove the connection from the server and cancel the request in progress."""
        self._server.connections.discard(self)
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """Collect bytes, and answer a request once all its bytes have arrived."""
        self._room += data
        if not self._needed:
            if (end := self._room.find(b"\r\n\r\n")) < 0:
                return
            length = re.search(rb"\r\ncontent-length: *(\d+)", self._room[:end], re.IGNORECASE)
            self._needed = end + 4 + (int(length[1]) if length else 0)
        if len(self._room) >= self._needed:
            request, self._room = bytes(self._room[: self._needed]), self._room[self._needed :]
            self._needed = 0
            self._task = asyncio.get_running_loop().create_task(self._server.serve(self, request))

    def reply(self, status: int, body: bytes, *more: str) -> bytes:
        """Return the bytes of an HTTP response; `more` are additional header lines."""
        lines = [f"HTTP/1.1 {status} Status", *more]
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode() + body


class Server:
    """The listening server, which can stop listening for some time as a script says."""

    def __init__(self, model: Model, host: str = "127.0.0.1") -> None:
        self._model = model
        self._host = host
        self.connections: set[Connection] = set()

    async def listen(self, port: int) -> int:
        """Start to accept connections and return the port."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            lambda: Connection(self), self._host, port, backlog=1024
        )
        self._port = int(self._listener.sockets[0].getsockname()[1])
        return self._port

    async def serve(self, connection: Connection, request: bytes) -> None:
        """Answer a request, or make it fail as the script says."""
        head, _, body = request.partition(b"\r\n\r\n")
        if not head.startswith(b"POST"):
            connection.transport.write(connection.reply(200, b'{"object": "list", "data": []}'))
            return
        request_id = re.search(rb"\r\nx-request-id: *([^\r]+)", head, re.IGNORECASE)
        call = self._model.call(unquote(request_id[1].decode()) if request_id else "", body)
        self._model.in_flight += 1
        rule = self._model.rule(call)
        status: int | str = "gone"
        try:
            status, reply = await self._respond(connection, call, rule, head)
        finally:
            # Before the answer is sent, so that a client that has the answer finds the line.
            self._model.log(call, status)
            self._model.in_flight -= 1
        connection.transport.write(reply)
        if status == "cut":
            connection.transport.close()
        if status == "refused":
            self._stop_listening(rule.refuse or 0.0)

    async def _respond(
        self, connection: Connection, call: Call, rule: Rule, head: bytes
    ) -> tuple[int | str, bytes]:
        script = self._model.script
        key = re.search(rb"\r\nauthorization: *Bearer ([^\r]+)", head, re.IGNORECASE)
        given = key[1].decode() if key else ""
        if script.api_key is not None and given != script.api_key:
            return self._refusal(connection, 401, f"Incorrect API key provided: {given}", None)
        if script.capacity is not None and self._model.in_flight > script.capacity:
            return self._refusal(connection, 429, "too many at a time", None)
        if refusal := self._model.refusal(call):
            return self._refusal(connection, 400, refusal, None)
        if rule.refuse is not None:
            return "refused", b""
        if delay := script.delay + rule.delay:
            await asyncio.sleep(delay)
        if rule.status != 200:
            return self._refusal(connection, rule.status, "as the script says", rule.retry_after)
        reply = connection.reply(200, self._model.answer(call, rule))
        return ("cut", reply[: len(reply) // 2]) if rule.cut else (200, reply)

    @staticmethod
    def _refusal(
        connection: Connection, status: int, why: str, wait: str | float | None
    ) -> tuple[int, bytes]:
        body = json.dumps({"error": {"message": why, "code": status}}).encode()
        if isinstance(wait, float):
            wait = formatdate(time.time() + wait, usegmt=True)
        more = [] if wait is None else [f"Retry-After: {wait}"]
        return status, connection.reply(status, body, *more)

    def _stop_listening(self, seconds: float) -> None:
        async def listen_again() -> None:
            await asyncio.sleep(seconds)
            await self.listen(self._port)

        self._listener.close()
        for connection in list(self.connections):
            connection.transport.abort()
        self._comeback = asyncio.get_running_loop().create_task(listen_again())


async def _main(args: argparse.Namespace) -> None:
    server = Server(Model(Script.read(args.script), args.log), args.host)
    print(await server.listen(args.port), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main(words: Sequence[str] | None = None) -> None:
    """Serve as a command line says, until standard input ends."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", metavar="FILE")
    parser.add_argument("--script", metavar="FILE")
    asyncio.run(_main(parser.parse_args(words)))


if __name__ == "__main__":
    main()

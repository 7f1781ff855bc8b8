"""Answers that no model gives: too long, packed, nested without end. Each is a failure, no more."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipelines.recap.captioning.captioner import Answer
from pipelines.recap.client import captioner as client
from schemas.limits import MAX_ANSWER_BYTES
from schemas.rejection import Rejected

GOOD = json.dumps({"choices": [{"message": {"content": "A."}, "finish_reason": "stop"}]}).encode()
KEY = "sk-secret-0123456789"
ODD = "coco/"  # in the ids of requests that are not small ones
LIMIT = f"a malformed answer: more than {MAX_ANSWER_BYTES:,} bytes"


def nested(depth: int) -> bytes:
    return b'{"error": {"message": ' + b"[" * depth + b"]" * depth + b"}}"


class OddServer:
    """Answers small calls as it should, and all others with what it was given."""

    def __init__(self, body: bytes, status: int, **headers: str) -> None:
        self.accepted: list[str | None] = []
        self.sent = 0  # bytes of the last answer
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                server.accepted.append(self.headers["Accept-Encoding"])
                odd = self.headers["X-Request-Id"].startswith(ODD)
                self.send_response(status if odd else 200)
                for name, value in headers.items() if odd else ():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()  # without a length: as long as it is open
                server.sent = 0
                reply = body if odd else GOOD
                try:
                    for begin in range(0, len(reply), 1 << 16):
                        self.wfile.write(reply[begin : begin + (1 << 16)])
                        server.sent = begin
                except OSError:
                    pass  # they have gone

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"


@pytest.fixture
def answering() -> Iterator[Callable[..., OddServer]]:
    """Starts a server that answers with a body, a status and headers."""
    running: list[tuple[OddServer, threading.Thread]] = []

    def start(body: bytes, status: int = 200, **headers: str) -> OddServer:
        server = OddServer(body, status, **headers)
        thread = threading.Thread(
            target=server.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        thread.start()
        running.append((server, thread))
        return server

    yield start
    for server, thread in running:
        server.http.shutdown()
        thread.join()
        server.http.server_close()


@pytest.mark.parametrize("status", [200, 400, 500])
def test_an_answer_without_end_is_not_read_to_it(answering, ask_all, make_requests, status) -> None:
    server = answering(b" " * (8 * MAX_ANSWER_BYTES), status)
    (rejected,) = ask_all(make_requests(1), server.url, retries=0)
    assert isinstance(rejected, Rejected)
    assert rejected.detail.startswith(LIMIT)
    assert server.sent < 4 * MAX_ANSWER_BYTES


def test_a_long_answer_is_one(answering, ask_all, make_requests) -> None:
    (answer,) = ask_all(make_requests(1), answering(GOOD.ljust(MAX_ANSWER_BYTES)).url)
    assert answer == Answer("A.")


def test_nothing_is_unpacked(answering, ask_all, make_requests) -> None:
    server = answering(gzip.compress(GOOD.ljust(4 * MAX_ANSWER_BYTES)), Content_Encoding="gzip")
    (rejected,) = ask_all(make_requests(1), server.url, retries=0)
    assert isinstance(rejected, Rejected)
    assert rejected.detail.startswith("a malformed answer: it is packed by gzip, which was not")
    assert set(server.accepted) == {"identity"}


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("depth", [980, 100_000])
def test_an_answer_nested_without_end(answering, ask_all, make_requests, status, depth) -> None:
    (rejected,) = ask_all(make_requests(1), answering(nested(depth), status).url, retries=0)
    assert isinstance(rejected, Rejected)


def test_what_fails_is_said_now_and_then(answering, ask_all, make_requests, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server = answering(json.dumps({"error": {"message": f"out of memory, {KEY}"}}).encode(), 500)
    detail = f"{server.url}: status 500: out of memory, [key]; trying again"
    notices: list[str] = []
    ask_all(make_requests(4), server.url, retries=2, say=notices.append)
    assert notices == [detail]
    notices.clear()
    monkeypatch.setattr(client, "NOTICE_SECONDS", 0.0)
    ask_all(make_requests(4), server.url, retries=2, say=notices.append)
    assert notices == [detail] * 4 * 4

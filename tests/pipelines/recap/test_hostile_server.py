"""A server's answers and errors reach no terminal but as text to read."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipelines.cli.parser import run
from tests.hostile import assert_readable

# Colours, a link, the clipboard, a one-byte CSI, a right-to-left override, a return.
HOSTILE = "\x1b[2J\x1b]8;;http://x\x1b\\y\x1b]52;c;eA==\x07\x9b31m\u202e\u200b\r"
RECAP = ["--source", "coco", "--label-set", "Things", "--no-filter"]
JUDGE = ["--bench", "dlc", "--questions"]
Serve = Callable[..., str]


@pytest.fixture
def answering() -> Iterator[Serve]:
    """Starts a server that answers all requests alike; returns its address."""
    servers = []

    def start(status: int, body: str, reason: str = "\x1b[31mno") -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                content = body.encode(errors="surrogatepass")
                self.send_response(status, reason)
                self.send_header("Content-Type", "application/json")
                self.send_header("Location", "http://\x1b[31m/")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET  # noqa: N815 - the base class calls it

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/v1"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def answer(text: str) -> str:
    """A chat's answer."""
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 300, "completion_tokens": 5, "total_tokens": 305}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    return json.dumps(
        {"id": HOSTILE, "object": "chat.completion", "created": 1, "model": HOSTILE}
        | {"choices": [choice], "usage": usage, "data": [{"id": HOSTILE}]}
    )


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, json.dumps({"error": {"message": HOSTILE, "type": HOSTILE, "code": HOSTILE}})),
        (401, json.dumps({"error": HOSTILE})),
        (404, json.dumps({"detail": [{"msg": HOSTILE, "loc": [HOSTILE]}]})),
        (404, f"<html><title>{HOSTILE}</title></html>"),
        (422, HOSTILE),
        (500, HOSTILE),
        (307, HOSTILE),
        (200, HOSTILE),
        (200, json.dumps({"object": HOSTILE, "choices": HOSTILE})),
        (200, answer(f"{HOSTILE} a red thing")),
    ],
)
@pytest.mark.parametrize("command", ["recap", "wordings", "judge"])
def test_errors_of_servers(command, status, body, answering, two_splits, tmp_path, capsys):
    root, _ = two_splits
    (tmp_path / "qa.json").write_text('{"1": []}', encoding="utf-8")
    (tmp_path / "class_names.json").write_text('{"1": "cup"}', encoding="utf-8")
    (tmp_path / "captions.json").write_text('{"1": "A cup."}', encoding="utf-8")
    words = {
        "recap": [*RECAP, "--data-root", root],
        "wordings": ["--set", "recap_region", "--count", 2],
        "judge": [tmp_path / "captions.json", *JUDGE, tmp_path / "qa.json"],
    }[command]
    words += ["--endpoint", answering(status, body), "--model", "stub"]
    words += [] if command == "wordings" else ["--patience", 1, "--timeout", 1]
    words += ["--output", tmp_path / ("out.yaml" if command == "wordings" else "out")]
    ended = run([command, *map(str, words)])
    printed = "".join(capsys.readouterr())
    assert_readable(printed)
    assert ended == 1
    assert "error: " in printed


def test_a_status_line_that_is_no_text(answering, two_splits, new_process, tmp_path):
    root, _ = two_splits
    server = answering(500, "no", "no\x9b")
    words = [*RECAP, "--data-root", root, "--output", tmp_path / "out", "--model", "stub"]
    done = new_process("recap", *words, "--endpoint", server, "--patience", 1)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "its headers are no UTF-8" in done.stderr

"""New wordings from a chat model: only fit ones are taken, and the file is one `--wordings` takes.

The model is a server on this machine that speaks HTTP and says what it is told to.
"""

import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import yaml

from pipelines.cli.parser import run
from pipelines.recap.new_wordings import MAX_ROUNDS
from pipelines.recipes.load import load_wordings
from prompts.catalog import WORDING_SETS
from prompts.wordings import replace_sets

SECRET = "sk-very-secret"


class ChatServer:
    """Answers chat requests with given texts, one after the other, the last one again and again."""

    def __init__(self) -> None:
        self.answers: list[str] = [""]
        self.status = 200
        self.body: bytes | None = None  # sent as it is, instead of an answer
        self.requests: list[dict[str, Any]] = []
        self.headers: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                server.requests.append(json.loads(self.rfile.read(length)))
                server.headers.append(self.headers["Authorization"])
                number = min(len(server.requests), len(server.answers)) - 1
                reply = server.reply(server.answers[number])
                self.send_response(server.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def reply(self, text: str) -> bytes:
        if self.body is not None:
            return self.body
        choice = {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": text},
        }
        head = {"id": "1", "object": "chat.completion", "created": 1, "model": "m"}
        return json.dumps({**head, "choices": [choice]}).encode()

    @property
    def prompt(self) -> str:
        """The first prompt."""
        return str(self.requests[0]["messages"][0]["content"])


@pytest.fixture
def server(monkeypatch) -> Iterator[ChatServer]:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    started = ChatServer()
    thread = threading.Thread(target=started.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield started
    started.http.shutdown()
    thread.join()
    started.http.server_close()


@pytest.fixture
def wordings(server) -> Callable[..., int]:
    """Runs the command."""

    def call(name: str, number: int, *flags: object) -> int:
        words = ("wordings", "--set", name, "--count", number, "--endpoint", server.url)
        return run([str(word) for word in (*words, "--model", "m", *flags)])

    return call


def test_fit_wordings_become_a_file_that_builds_take(server, wordings, tmp_path, capsys):
    path = tmp_path / "mine.yaml"
    server.answers = [
        '1. Whoa, <region>: what is it?\n- Name <region>.\n\n\u2022 "Was ist <region>?"'
    ]
    assert wordings("region_classification", 3, "--output", path) == 0
    loaded = load_wordings(str(path))
    assert loaded == {
        "region_classification": [
            "Whoa, <region>: what is it?",
            "Name <region>.",
            "Was ist <region>?",
        ]
    }
    replace_sets(WORDING_SETS, loaded)
    assert len(server.requests) == 1
    assert server.requests[0]["model"] == "m"
    assert server.headers == [f"Bearer {SECRET}"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("kind", WORDING_SETS)
def test_the_model_sees_examples_and_placeholders_of_any_set(server, wordings, kind, capsys):
    known = WORDING_SETS[kind]
    holders = " ".join(known.placeholders)
    server.answers = [f"Something else altogether {holders}."]
    assert wordings(kind, 1) == 0
    assert known.wordings[0] in server.prompt
    assert "Write 1 further wordings" in server.prompt
    assert " and ".join(known.placeholders) in server.prompt
    assert kind != "recap_global" or "no placeholders" in server.prompt
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed == {kind: [f"Something else altogether {holders}."]}
    replace_sets(WORDING_SETS, printed)


def test_unfit_wordings_are_dropped_with_a_reason_and_asked_for_again(server, wordings, capsys):
    known = WORDING_SETS["region_caption_phrase"].wordings[0]
    server.answers = [
        "Here are some wordings:\n"
        "Tell me of <region>.\n"
        "Tell me of <region> or of <region>.\n"
        "Tell me of <image> and <region>.\n"
        "USER: tell me of <region>.\n"
        "tell me, of <region>?\n"
        "Tell me of <region>\n"
        f"{known}\n",
        "```\nSpeak of <region>.\nSing of <region>!\nDance to <region>.\n```",
    ]
    assert wordings("region_caption_phrase", 3) == 0
    captured = capsys.readouterr()
    assert yaml.safe_load(captured.out) == {
        "region_caption_phrase": ["Tell me of <region>.", "Speak of <region>.", "Sing of <region>!"]
    }
    dropped = captured.err.splitlines()
    assert len(dropped) == 7
    assert all(line.startswith("dropped '") for line in dropped)
    causes = ["found []", "'<region>', '<region>'", "'<image>'", "'USER:'", "there already"]
    for line, cause in zip(dropped, [*causes, "neither a full stop", "there already"], strict=True):
        assert cause in line
    assert len(server.requests) == 2
    second = server.requests[1]["messages"][0]["content"]
    assert "Write 2 further wordings" in second
    assert "Tell me of <region>." in second


def test_a_model_with_too_little_to_say_is_given_up(server, wordings, tmp_path, capsys):
    path = tmp_path / "mine.yaml"
    server.answers = ["Look at the scene as a painter would."]
    assert wordings("recap_global", 2, "--output", path) == 1
    assert len(server.requests) == MAX_ROUNDS
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: the model gave 1 usable wordings of 2")
    assert load_wordings(str(path)) == {"recap_global": ["Look at the scene as a painter would."]}


def test_other_sets_of_the_file_stay(server, wordings, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "recap_global: [Old.]\nregion_caption_phrase: ['Old <region>.']\n", encoding="utf-8"
    )
    server.answers = [
        "<think>\nI think without an end.",
        "<think>\nI think of one.\n</think>\nWürdig neu.",
    ]
    assert wordings("recap_global", 1, "--output", path) == 0
    assert load_wordings(str(path)) == {
        "recap_global": ["Würdig neu."],
        "region_caption_phrase": ["Old <region>."],
    }


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (404, b'{"error": {"message": "sk-very-secret"}}', "refuses with HTTP status 404"),
        (401, b"no", "refuses with HTTP status 401"),
        (200, b"{", "answers no chat completion"),
        (200, b"[]", "answers no chat completion"),
        (200, b'{"choices": []}', "answers no chat completion"),
        (200, b'{"choices": [{}]}', "answers no chat completion"),
    ],
)
def test_a_server_that_fails(server, wordings, status, body, message, capsys):
    server.status, server.body = status, body
    assert wordings("recap_global", 1) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: the endpoint ")
    assert message in error
    assert len(error.splitlines()) == 1
    assert SECRET not in error


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--set", "caption"), "--set 'caption': there is no such set; "),
        (("--count", 0), "--count 0: expected 1 or more"),
        (("--endpoint", "http://[x/v1"), "--endpoint: expected an address such as http"),
        (("--endpoint", "localhost:8000"), "--endpoint: expected an address such as http"),
        (("--endpoint", f"ftp://{SECRET}@host"), "--endpoint: expected an address such as http"),
    ],
)
def test_mistakes_of_the_user(wordings, flags, message, capsys):
    assert wordings("recap_global", 1, *flags) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message}")
    assert SECRET not in error


def test_a_server_that_is_not_there(wordings, server, capsys):
    address = f"http://user:{SECRET}@127.0.0.1:9/v1"
    assert wordings("recap_global", 1, "--endpoint", address) == 1
    error = capsys.readouterr().err
    assert error == "error: the endpoint does not answer: APIConnectionError\n"


def test_without_the_extra_the_command_says_what_to_install(wordings, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "openai", None)
    assert wordings("recap_global", 1) == 2
    assert "regionforge wordings needs: pip install 'regionforge[serve]'" in capsys.readouterr().err

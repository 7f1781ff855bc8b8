"""`regionforge serve`: its beginning, its end by a signal, and what it says of mistakes."""

import json
import os
import re
import signal
import socket
import sys
import threading
import time
import urllib.request
from typing import Any

import pytest

from train.serve import flag_checks, serving
from train.serve.serving import model_name


def test_it_answers_until_a_signal_ends_it(tiny_models, capsys, say):
    seen: dict[str, Any] = {}

    def ask():
        while not (match := re.search(r"serving (\S+) at (http://\S+)", seen.get("out", ""))):
            time.sleep(0.05)
            seen["out"] = seen.get("out", "") + capsys.readouterr().out
        body = {"model": match[1], "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 3}
        request = urllib.request.Request(
            f"{match[2]}/chat/completions", data=json.dumps(body).encode()
        )
        with urllib.request.urlopen(request) as reply:
            seen["answer"] = json.loads(reply.read())
        os.kill(os.getpid(), signal.SIGTERM)

    asking = threading.Thread(target=ask)
    asking.start()
    words = ["--checkpoint", tiny_models["regiongpt"], "--port", 0]
    status, out, err = say("serve", *words)
    asking.join()
    assert (status, err) == (143, "ended by SIGTERM\n")
    assert out == "1 requests answered, 0 refused\n"
    assert seen["out"].startswith("serving regiongpt at http://127.0.0.1:")
    assert seen["answer"]["usage"]["completion_tokens"] == 3


def test_an_address_that_is_taken_is_named_before_the_model_is_loaded(
    tiny_models, say, monkeypatch
):
    monkeypatch.setattr(serving, "open_model", None)  # nothing is loaded before
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, out, err = say("serve", "--checkpoint", tiny_models["regiongpt"], "--port", port)
    assert (status, out) == (2, "")
    assert err == f"error: 127.0.0.1:{port}: Address already in use: name another --port\n"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--host", "no.host.invalid"],
            "error: --host no.host.invalid: Name or service not known\n",
        ),
        (  # of no machine: RFC 5737
            ["--host", "192.0.2.1", "--port", "0"],
            "error: 192.0.2.1:0: Cannot assign requested address: name another --host\n",
        ),
        (["--port", "70000"], "error: --port 70000: expected 65535 at most\n"),
        (["--batch", "0"], "error: --batch: '0': expected a whole number, 1 or more\n"),
        (["--checkpoint", "/nowhere"], "error: /nowhere: no such folder, and no name of a model"),
    ],
)
def test_mistakes_are_named(flags, message, tiny_models, say):
    status, out, err = say("serve", "--checkpoint", tiny_models["regiongpt"], *flags)
    assert (status, out) == (2, "")
    assert err.startswith(message)


def test_a_port_that_is_taken_while_the_model_is_loaded_is_named(tiny_models, say, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(flag_checks, "_check_port", lambda host, port: None)
        ended = say("serve", "--checkpoint", tiny_models["regiongpt"], "--port", port)
    assert ended[:2] == (2, "")
    assert ended[2].startswith(f"error: 127.0.0.1:{port}: ")
    assert "address already in use: name another --port" in ended[2].lower()


def test_without_the_extra_it_says_what_to_install(tiny_models, say, monkeypatch):
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    ended = say("serve", "--checkpoint", tiny_models["regiongpt"])
    assert ended == (
        2,
        "",
        "error: regionforge serve needs: pip install 'regionforge[serve,train]'\n",
    )


def test_the_usual_name_is_the_folders(tmp_path):
    final = tmp_path / "a" / "final"
    final.mkdir(parents=True)
    assert model_name(str(final)) == model_name(str(tmp_path / "a")) == "a"
    assert model_name("owner/model") == "owner/model"

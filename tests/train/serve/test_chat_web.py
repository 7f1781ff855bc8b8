"""`regionforge chat --web`: what it says of mistakes, and where the page is."""

import socket
from types import SimpleNamespace

import pytest

import train.serve.flag_checks


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--port", "7860"], "--port is for --web: name both, or leave it out"),
        (["--web", "--image", "a.png"], "--image: with --web it is on the page: leave it out"),
        (["--web", "--region", "1,2,3,4", "--image", "a.png"], "--image: with --web it is on the"),
        (["--web", "--port", "x"], "--port: 'x': expected a whole number, 0 or more"),
    ],
)
def test_flags_that_do_not_go_together(flags, message, say):
    status, out, err = say("chat", "--checkpoint", "/nowhere", *flags)
    assert (status, out) == (2, "")
    assert err.startswith(f"error: {message}")


def test_a_missing_extra_is_a_line(say, monkeypatch):
    monkeypatch.setattr(train.serve.flag_checks, "find_spec", lambda name: None)
    message = "regionforge chat --web needs: pip install 'regionforge[demo,train]'"
    assert say("chat", "--checkpoint", ".", "--web") == (2, "", f"error: {message}\n")


def test_a_port_that_is_taken_is_named(say, monkeypatch, tiny_models):
    monkeypatch.setattr(train.serve.flag_checks, "find_spec", lambda name: SimpleNamespace())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = ["--checkpoint", tiny_models["regiongpt"], "--web", "--port", port]
        status, out, err = say("chat", *words)
    assert (status, out) == (2, "")
    assert err == f"error: 127.0.0.1:{port}: Address already in use: name another --port\n"
    words[-1] = 70_000
    message = "error: --port 70000: expected 65535 at most\n"
    assert say("chat", *words) == (2, "", message)

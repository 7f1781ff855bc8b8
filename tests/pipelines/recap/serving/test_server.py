"""The server of `--serve`: how it is kept running, and that nothing of it is left."""

import asyncio
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipelines.recap.serving import process_reaper
from pipelines.recap.serving import server as server_module
from pipelines.recap.serving.captioner import ServedCaptioner
from pipelines.recap.serving.server import KEY_VARIABLE, Server, Serving
from schemas.errors import BuildError
from schemas.rejection import Rejected


def until(done: Callable[[], object], seconds: float = 15.0) -> bool:
    """Wait until something holds; tell whether it does."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def parent(pid: int) -> int:
    """The process that a process came of."""
    return int(Path(f"/proc/{pid}/stat").read_text("utf-8").split()[3])


@pytest.fixture
def serving(tmp_path, monkeypatch) -> Callable[..., Server]:
    """Makes a server of a `FakeVllm`; its notices are in its `lines`."""
    monkeypatch.setattr(server_module, "MAX_PAUSE", 0.0)

    def make(fake, **fields: Any) -> Server:
        def command(port: int) -> list[str]:
            return [str(fake.path), "serve", "m", "--port", str(port)]

        log = str(tmp_path / "server.log")
        quick: dict[str, Any] = {"patience": 10.0, "grace": 1.0, "log": log}
        made = Server(Serving(command=command, **(quick | fields)), lambda line: lines.append(line))
        lines = made.lines = []  # type: ignore[attr-defined]
        return made

    return make


@pytest.fixture
def ask_served(make_captioner) -> Callable[..., list[Any]]:
    """Asks a server all requests side by side; returns an answer or an exception for each."""

    def ask(server: Server, requests: list[Any], **fields: Any) -> list[Any]:
        async def run() -> list[Any]:
            make = partial(make_captioner, server.url, api_key_env=KEY_VARIABLE, **fields)
            captioner = ServedCaptioner(make, server)
            try:
                asked = (captioner.ask(request) for request in requests)
                return await asyncio.gather(*asked, return_exceptions=True)
            finally:
                await captioner.close()

        return asyncio.run(run())

    return ask


def test_it_is_started_once_and_only_if_needed(
    fake_vllm, serving, ask_served, make_requests, monkeypatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # where nobody is
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "intranet")
    fake = fake_vllm()
    with serving(fake) as server:
        assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == "intranet,127.0.0.1"
        assert ask_served(server, []) == []
        assert fake.lives() == []
        answers = ask_served(server, make_requests(10))
        assert [answer.finish for answer in answers] == ["stop"] * 10
        again = ask_served(pickle.loads(pickle.dumps(server)), make_requests(10))
        assert [answer.text for answer in again] == [answer.text for answer in answers]
    assert len(fake.lives()) == 1
    assert fake.left() == []
    assert os.environ["NO_PROXY"] == "intranet"
    assert os.environ.keys().isdisjoint({"no_proxy", KEY_VARIABLE})


def test_a_request_that_no_server_survives(fake_vllm, serving, ask_served, make_requests) -> None:
    requests = make_requests(6)
    fake = fake_vllm(deadly=requests[2].id)
    with serving(fake) as server:
        answers = ask_served(server, requests)
    lost = answers.pop(2)
    assert isinstance(lost, Rejected)
    assert "8 attempts, the last ones alone" in lost.detail
    assert [answer.finish for answer in answers] == ["stop"] * 5
    assert 3 < len(fake.lives()) <= 9  # an attempt that found it dead is one of the eight


def test_a_server_that_dies_again_and_again(fake_vllm, serving, ask_served, make_requests) -> None:
    fake = fake_vllm(dies_at=[15], exits=[None] + [1] * 20, says=["a line"])
    with serving(fake) as server:
        answers = ask_served(server, make_requests(10))
        assert server.lost.done()
    errors = [answer for answer in answers if isinstance(answer, Exception)]
    assert {type(error) for error in errors} == {BuildError}
    assert "died 10 times, and answered nothing in between: it ended with status 1" in str(
        errors[0]
    )
    assert str(errors[0]).endswith("\na line")
    assert len(fake.lives()) == 10
    assert [line for line in server.lines if "starting it again" in line][1:] == [
        "server: it ended with status 1; starting it again"
    ] * 8


def test_an_interrupt_passes_it_by_but_not_a_share_of_the_processors(
    fake_vllm, serving, ask_served, make_requests
) -> None:
    fake = fake_vllm()
    with serving(fake) as server:
        ask_served(server, make_requests(1))
        (pid,) = fake.left()
        assert os.getpgid(pid) != os.getpgrp()
        assert os.getpgid(parent(pid)) != os.getpgrp()
        assert os.getsid(pid) == os.getsid(0), "processors are shared out among sessions"


def test_it_cannot_be_started(fake_vllm, serving, ask_served, make_requests, tmp_path) -> None:
    fake = fake_vllm()
    fake.path.unlink()
    with serving(fake) as server:
        (error,) = ask_served(server, make_requests(1))
    assert isinstance(error, BuildError)
    assert "it ended with status 127" in str(error)
    assert str(error).endswith(f"{fake.path}: No such file or directory")
    with serving(fake, log=str(tmp_path / "no" / "folder")) as server:
        (error,) = ask_served(server, make_requests(1))
    assert "the server cannot be started" in str(error)


@pytest.mark.parametrize("rest", [0, 200])
def test_what_it_dies_of_is_quoted(fake_vllm, serving, ask_served, make_requests, rest) -> None:
    worker = "(Worker pid=7) ERROR 11-20 20:18:12 [multiproc_executor.py:953] "
    says = [
        "(APIServer pid=5) WARNING 11-20 20:17:57 [system_utils.py:255] such as `OSError: no`",
        f"{worker}Traceback (most recent call last):",
        f"{worker}safetensors._rust.SafetensorError: incomplete, $VLLM_API_KEY",
        *(
            f'(EngineCore pid=6) ERROR 11-20 20:18:15 [core.py:1510]   File "{n}"'
            for n in range(rest)
        ),
        "RuntimeError: Engine core initialization failed. See root cause above.",
    ]
    fake = fake_vllm(says=says, exits=[1])
    with serving(fake) as server:
        (error,) = ask_served(server, make_requests(1))
    cause = "safetensors._rust.SafetensorError: incomplete, [key]\n"
    assert str(error).count(cause) == 1
    assert (f"The first error in its log: {cause}The end of" in str(error)) == bool(rest)
    assert str(error).endswith("See root cause above.")


def test_it_is_stopped_while_it_starts(fake_vllm, serving) -> None:
    fake = fake_vllm(hangs=True)
    with serving(fake) as server:
        server.start()
        assert until(fake.lives)
        assert len(fake.left()) == 1
    assert fake.left() == []
    assert server.lost.result() == "the server was stopped"
    assert not any(thread.name == "server" for thread in threading.enumerate())


def test_the_key_is_nowhere(fake_vllm, serving, ask_served, make_requests, tmp_path) -> None:
    fake = fake_vllm(dies_at=[15])
    with serving(fake) as server:
        ask_served(server, make_requests(10))
        first, second = fake.lives()
        guarded = Path(f"/proc/{parent(second['pids'][0])}/cmdline").read_text("utf-8")
    key = first["key"]
    assert (len(key), second["key"]) == (32, key)
    assert "process_reaper" in guarded
    seen = [guarded, json.dumps(first["arguments"]), *server.lines]
    seen.append((tmp_path / "server.log").read_text("utf-8"))
    assert [text for text in seen if key in text] == []

    telltale = fake_vllm(says=["the key is $VLLM_API_KEY"], exits=[1], name="other")
    with serving(telltale) as server:
        (error,) = ask_served(server, make_requests(1))
    assert str(error).endswith("the key is [key]")


@pytest.fixture
def guarded() -> Callable[..., Any]:
    """Runs a `FakeVllm` under a process reaper, until all its processes are up."""

    def run(fake, grace: float, processes: int) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-I", "-S", process_reaper.__file__, str(grace), str(fake.path)]
        environment = os.environ | {KEY_VARIABLE: "k"}
        process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)
        assert until(lambda: len(fake.left()) == processes)
        time.sleep(0.5)  # they have dealt with their signals
        return process

    return run


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, only its own group is ended")
class TestProcessReaper:
    """The end of a server, and of all that it started."""

    def test_those_who_take_no_sigterm(self, fake_vllm, guarded) -> None:
        fake = fake_vllm(hangs=True, stubborn=True, child=True)
        process = guarded(fake, 1.0, 2)
        began = time.monotonic()
        process.communicate()
        assert 1.0 < time.monotonic() - began < 8.0
        assert process.returncode == 128 + signal.SIGKILL
        assert fake.left() == []

    def test_those_whose_parent_ended(self, fake_vllm, guarded) -> None:
        fake = fake_vllm(hangs=True, child=True)
        process = guarded(fake, 10.0, 2)
        os.kill(fake.left()[0], signal.SIGKILL)
        process.wait(8.0)
        assert process.returncode == 128 + signal.SIGKILL
        assert fake.left() == []
        process.communicate()

    def test_the_reaper_is_ended(self, fake_vllm, guarded) -> None:
        fake = fake_vllm(hangs=True, child=True)
        process = guarded(fake, 10.0, 2)
        process.terminate()
        process.wait(8.0)
        assert fake.left() == []
        process.communicate()

    def test_the_reaper_is_killed(self, fake_vllm, guarded) -> None:
        fake = fake_vllm(hangs=True, stubborn=True)
        process = guarded(fake, 10.0, 1)
        process.kill()
        process.communicate()
        assert until(lambda: not fake.left(), 8.0)

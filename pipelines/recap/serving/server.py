"""A server of our own: started when it is first needed, again when it dies, stopped at the end.

A thread looks after it. The server is the child of a process reaper, which ends it and all its
descendants when we are gone. It stays on one port, so that the client, which waits for servers that
do not answer, finds it again.
"""

import http.client
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from weakref import WeakValueDictionary

from pipelines.recap.console import print_notice
from pipelines.recap.serving import process_reaper
from pipelines.recap.serving.command import HOST

KEY_VARIABLE = "VLLM_API_KEY"  # environment variable of the key that vLLM asks its clients for
_PROXY_VARIABLES = ("no_proxy", "NO_PROXY")  # hosts to call directly; the first one decides
# With no answer between. One request that no server survives is tried eight times by the client.
MAX_DEATHS = 10
POLL_SECONDS = 0.2
_MAX_HEALTH_SECONDS = 5.0  # for an answer about its health
_NOTICE_SECONDS = 30.0  # between notices about a start that takes long
MAX_PAUSE = 30.0  # before a start; seconds
TAIL_LINES, TAIL_CHARACTERS = 30, 4000  # at most, of the end of its log
CAUSE_CHARACTERS = 500  # at most, of the first error in its log
# What vLLM's processes put before each line, a traceback's as well; and a traceback's last line.
_PREFIX = re.compile(r"^(?:\(.*? pid=\d+\) )?(?:[A-Z]+ [-\d]+ [:\d]+ \[[^]]*\] )?")
_EXCEPTION = re.compile(r"[\w.]*(?:Error|Exception)(?::|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """The server to run, and how long to wait for it."""

    command: Callable[[int], list[str]]  # to start it on a port
    log: str  # file that its output is added to
    patience: float  # with a start; seconds
    grace: float = 10.0  # between SIGTERM and SIGKILL; seconds


class Server:
    """A server that runs from the first `start` to the end of the `with` block.

    A pickle of it, as Beam makes one, holds its port and becomes the same object in this process.
    """

    def __init__(self, serving: Serving, say: Callable[[str], None] = print_notice) -> None:
        """Choose a port; nothing is started yet.

        Args:
            serving: the server to run.
            say: takes a line for a person.
        """
        self._serving = serving
        self._say = say
        self.port = _free_port()
        self._key = secrets.token_hex(16)
        self._environment: dict[str, str | None] = {}  # as it was
        self._thread = threading.Thread(target=self._run, name="server", daemon=True)
        self._starting = threading.Lock()
        self._stopping = threading.Event()
        self._deaths = 0  # since the last answer
        self._log_from = 0  # where the log of the latest start begins, bytes
        self.ready: Future[None] = Future()  # done when it has come up for the first time
        self.lost: Future[str] = Future()  # done when it is given up; says why
        for future in (self.ready, self.lost):
            future.set_running_or_notify_cancel()  # those who wait for it cannot cancel it
        _BY_PORT[self.port] = self

    def __reduce__(self) -> tuple[Callable[[int], "Server"], tuple[int]]:
        """Return what a pickle holds: how to find the server again, by its port."""
        return _server_of, (self.port,)

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://{HOST}:{self.port}/v1"

    def __enter__(self) -> Self:
        """Set the environment variables of the key, and of hosts to call without a proxy."""
        wanted = {KEY_VARIABLE: self._key}
        direct = next(filter(None, map(os.environ.get, _PROXY_VARIABLES)), "")
        if direct != "*":
            wanted |= dict.fromkeys(_PROXY_VARIABLES, f"{direct},{HOST}".lstrip(","))
        self._environment = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        for name, value in self._environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def start(self) -> None:
        """Start it, unless it was started before; then `ready` or `lost` will be done."""
        with self._starting:
            if self._thread.ident is None and not self._stopping.is_set():
                self._thread.start()

    def progressed(self) -> None:
        """Take note of an answer: from now on, deaths are counted anew."""
        self._deaths = 0

    def _run(self) -> None:
        why = "the server is not looked after any more"
        try:
            why = self._supervise()
        except OSError as error:
            why = f"the server cannot be started: {error}"
        finally:
            self.lost.set_result(why)

    def _supervise(self) -> str:
        """Keep it running; return why it runs no longer."""
        while True:
            trouble = self._run_once()
            if self._stopping.is_set():
                return "the server was stopped"
            self._deaths += 1
            if not self.ready.done() or self._deaths >= MAX_DEATHS:
                return self._describe_end(trouble)
            self._say(f"server: {trouble}; starting it again")
            self._stopping.wait(min(MAX_PAUSE, self._deaths - 1))

    def _run_once(self) -> str:
        """Start it and wait until it ends; return how it did."""
        with open(self._serving.log, "ab") as log:
            self._log_from = log.tell()
            reaper = [sys.executable, "-I", "-S", process_reaper.__file__, str(self._serving.grace)]
            process = subprocess.Popen(  # noqa: S603 - what the user named
                reaper + self._serving.command(self.port),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                # An interrupt from the terminal is for us. No session of its own, though: Linux
                # shares processors out among sessions (autogroups, sched(7)), and a server in
                # another one answers half as many calls on a machine that both keep busy.
                process_group=0,
                env=os.environ | {"PYTHONSAFEPATH": "1"},  # nothing here stands in for its modules
            )
        assert process.stdin is not None
        try:
            trouble = self._until_healthy(process)
            while trouble is None and not self._stopping.wait(POLL_SECONDS):
                trouble = _ended(process)
        finally:
            process.stdin.close()
            with suppress(subprocess.TimeoutExpired):  # what cannot be killed is not waited for
                process.wait(self._serving.grace + process_reaper.MAX_KILL_SECONDS)
        return trouble or "it was stopped"

    def _until_healthy(self, process: "subprocess.Popen[bytes]") -> str | None:
        """Wait until it answers; return None then, else why it does not."""
        began = noticed = time.monotonic()
        self._say(f"server: starting, on port {self.port}; its log is {self._serving.log}")
        while not self._stopping.wait(POLL_SECONDS):
            if trouble := _ended(process):
                return trouble
            now = time.monotonic()
            if _is_healthy(self.port):
                self._say(f"server: up after {now - began:.0f} s")
                if not self.ready.done():
                    self.ready.set_result(None)
                return None
            if now - began > self._serving.patience:
                return f"it is not up after {self._serving.patience:g} s"
            if now - noticed > _NOTICE_SECONDS:
                noticed = now
                last = self._tail(1) or "nothing yet"
                self._say(f"server: not up after {now - began:.0f} s; its last word: {last}")
        return "it was stopped"

    def _describe_end(self, trouble: str) -> str:
        what = "did not come up"
        if self.ready.done():
            what = f"died {self._deaths} times, and answered nothing in between"
        tail, cause = self._tail(TAIL_LINES), self._cause()
        above = f"The first error in its log: {cause}\n" if cause not in tail else ""
        return (
            f"the server {what}: {trouble}. What was answered is kept: mend the server, and run "
            f"the same command again to go on. {above}The end of its log, "
            f"{self._serving.log}:\n{tail}"
        )

    def _cause(self) -> str:
        """Return the first exception in its log since its latest start, or nothing.

        The cause of an engine's death stands far above the end of the log: each process that waits
        for another adds a traceback.
        """
        with Path(self._serving.log).open("rb") as log:
            log.seek(self._log_from)
            for line in log:
                text = _PREFIX.sub("", line.decode("utf-8", "replace").rstrip())
                if _EXCEPTION.match(text):
                    return self._shown(text)[:CAUSE_CHARACTERS]
        return ""

    def _tail(self, lines: int) -> str:
        """Return the end of its log since its latest start, without the key."""
        with Path(self._serving.log).open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_from, size - 4 * TAIL_CHARACTERS))
            text = self._shown(log.read().decode("utf-8", "replace"))
        ends = [line.rstrip() for line in text.splitlines() if line.strip()]
        return "\n".join(ends[-lines:])[-TAIL_CHARACTERS:]

    def _shown(self, text: str) -> str:
        """Return a text without the key."""
        return text.replace(self._key, "[key]")


_BY_PORT: "WeakValueDictionary[int, Server]" = WeakValueDictionary()


def _server_of(port: int) -> Server:
    return _BY_PORT[port]


def _ended(process: "subprocess.Popen[bytes]") -> str | None:
    status = process.poll()
    if status is None:
        return None
    if status > 128:
        return f"it was ended by {_signal_name(status - 128)}"
    return f"it ended with status {status}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=_MAX_HEALTH_SECONDS)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])

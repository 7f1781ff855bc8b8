"""The server of a run: started for the first request, restarted if it dies, stopped at the end.

A thread supervises the server. The server is the child of a process reaper, which ends the server
and all its descendants when this process ends. A restarted server keeps its port, so that the
client, which waits for servers that do not answer, reaches it again.
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

from pipelines.recap.serving import process_reaper
from pipelines.recap.serving.command import HOST
from schemas.console import notice
from schemas.duration import duration

KEY_VARIABLE = "VLLM_API_KEY"  # environment variable of the key that vLLM requires of clients
_PROXY_VARIABLES = ("no_proxy", "NO_PROXY")  # hosts to call directly; the first that is set counts
# Deaths in a row, without an answer. The client sends a request that kills the server eight times.
_MAX_DEATHS = 10
POLL_SECONDS = 0.2
_MAX_HEALTH_SECONDS = 5.0  # time limit of a health request
_NOTICE_SECONDS = 30.0  # between notices about a slow start
MAX_PAUSE = 30.0  # maximum wait before a restart in seconds
TAIL_LINES, TAIL_CHARACTERS = 30, 4000  # maximum length of the log's end in a message
_CAUSE_CHARACTERS = 500  # maximum length of the log's first error in a message
# The prefix that vLLM's processes write before each line, and the last line of a traceback.
_PREFIX = re.compile(r"^(?:\(.*? pid=\d+\) )?(?:[A-Z]+ [-\d]+ [:\d]+ \[[^]]*\] )?")
_EXCEPTION = re.compile(r"[\w.]*(?:Error|Exception)(?::|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """The command of a server, its log file, and the limits of waiting for it."""

    command: Callable[[int], list[str]]  # returns the command for a port
    log: str  # path of the file to which the server's output is appended
    patience: float  # maximum number of seconds for a start
    grace: float = 10.0  # seconds between SIGTERM and SIGKILL
    # What a user is told to do once the server is given up.
    advice: str = (
        "What was answered is kept: mend the server, and run the same command again to go on"
    )


class Server:
    """A server that runs from the first `start` to the end of the `with` block.

    Beam pickles the server: the pickle holds only the port, and is loaded as the same object in
    this process.
    """

    def __init__(self, serving: Serving, say: Callable[[str], None] = notice) -> None:
        """Choose a port and a key; the server is not started yet.

        Args:
            serving: the server to run.
            say: function that shows the user a line.
        """
        self._serving = serving
        self._say = say
        self.port = _free_port()
        self._key = secrets.token_hex(16)
        self._environment: dict[str, str | None] = {}  # earlier values
        self._thread = threading.Thread(target=self._run, name="server", daemon=True)
        self._starting = threading.Lock()
        self._stopping = threading.Event()
        self._deaths = 0  # number since the last answer
        self._log_from = 0  # offset in bytes of the latest start in the log
        self.ready: Future[None] = Future()  # done when the server is up for the first time
        self.lost: Future[str] = Future()  # done when the server is given up; the reason
        for future in (self.ready, self.lost):
            future.set_running_or_notify_cancel()  # a waiting task cannot cancel it
        _BY_PORT[self.port] = self

    def __reduce__(self) -> tuple[Callable[[int], "Server"], tuple[int]]:
        """Return what a pickle holds: a function that finds the server by port, and the port."""
        return _server_of, (self.port,)

    @property
    def key(self) -> str:
        """The key that the server requires of its clients."""
        return self._key

    @property
    def url(self) -> str:
        """The base URL of the server's API."""
        return f"http://{HOST}:{self.port}/v1"

    def __enter__(self) -> Self:
        """Set the environment variables of the key and of the hosts to call without a proxy."""
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
        """Stop the server, and restore the environment variables."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        for name, value in self._environment.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def start(self) -> None:
        """Start the server unless it was started before; `ready` or `lost` reports the outcome."""
        with self._starting:
            if self._thread.ident is None and not self._stopping.is_set():
                self._thread.start()

    def progressed(self) -> None:
        """Record that the server has answered; reset the count of its deaths."""
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
        """Keep the server running, with restarts; return the reason of its final end."""
        while True:
            trouble = self._run_once()
            if self._stopping.is_set():
                return "the server was stopped"
            self._deaths += 1
            if not self.ready.done() or self._deaths >= _MAX_DEATHS:
                return self._describe_end(trouble)
            self._say(f"server: {trouble}; starting it again")
            self._stopping.wait(min(MAX_PAUSE, self._deaths - 1))

    def _run_once(self) -> str:
        """Start the server and wait for its end; return a description of the end."""
        with open(self._serving.log, "ab") as log:
            self._log_from = log.tell()
            reaper = [sys.executable, "-I", "-S", process_reaper.__file__, str(self._serving.grace)]
            process = subprocess.Popen(  # noqa: S603 - what the user named
                reaper + self._serving.command(self.port),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                # In another process group, the server gets no interrupt from the terminal. It stays
                # in this session, since Linux divides processor time between sessions (autogroups,
                # sched(7)): on a busy machine, a server in another session is half as fast.
                process_group=0,
                env=os.environ | {"PYTHONSAFEPATH": "1"},  # no import from the current folder
            )
        assert process.stdin is not None
        try:
            trouble = self._until_healthy(process)
            while trouble is None and not self._stopping.wait(POLL_SECONDS):
                trouble = _ended(process)
        finally:
            process.stdin.close()
            with suppress(subprocess.TimeoutExpired):  # a process that cannot be killed
                process.wait(self._serving.grace + process_reaper.MAX_KILL_SECONDS)
        return trouble or "it was stopped"

    def _until_healthy(self, process: "subprocess.Popen[bytes]") -> str | None:
        """Wait until the server is healthy; return None, or the reason why it is not."""
        began = noticed = time.monotonic()
        self._say(f"server: starting, on port {self.port}; its log is {self._serving.log}")
        while not self._stopping.wait(POLL_SECONDS):
            if trouble := _ended(process):
                return trouble
            now = time.monotonic()
            if _is_healthy(self.port):
                self._say(f"server: up after {duration(now - began)}")
                if not self.ready.done():
                    self.ready.set_result(None)
                return None
            if now - began > self._serving.patience:
                return f"it is not up after {duration(self._serving.patience)}"
            if now - noticed > _NOTICE_SECONDS:
                noticed = now
                last = self._tail(1) or "nothing yet"
                self._say(f"server: not up after {duration(now - began)}; its last word: {last}")
        return "it was stopped"

    def _describe_end(self, trouble: str) -> str:
        what = "did not come up"
        if self.ready.done():
            what = f"died {self._deaths} times, and answered nothing in between"
        tail, cause = self._tail(TAIL_LINES), self._cause()
        above = f"The first error in its log: {cause}\n" if cause not in tail else ""
        return (
            f"the server {what}: {trouble}. {self._serving.advice}. {above}The end of its log, "
            f"{self._serving.log}:\n{tail}"
        )

    def _cause(self) -> str:
        """Return the first exception in the log since the latest start, or an empty text.

        The cause of a failure is far above the end of the log, since each process that waits for
        another process adds a traceback.
        """
        with Path(self._serving.log).open("rb") as log:
            log.seek(self._log_from)
            for line in log:
                text = _PREFIX.sub("", line.decode("utf-8", "replace").rstrip())
                if _EXCEPTION.match(text):
                    return self._shown(text)[:_CAUSE_CHARACTERS]
        return ""

    def _tail(self, lines: int) -> str:
        """Return the last lines of the log since the latest start, without the key."""
        with Path(self._serving.log).open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_from, size - 4 * TAIL_CHARACTERS))
            text = self._shown(log.read().decode("utf-8", "replace"))
        ends = [line.rstrip() for line in text.splitlines() if line.strip()]
        return "\n".join(ends[-lines:])[-TAIL_CHARACTERS:]

    def _shown(self, text: str) -> str:
        """Return a text with the key replaced."""
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

"""The local worker processes of a build.

1. Before any thread is started, the command line forks its workers, so that they import nothing
   again. Any other process (a notebook, a test) may have threads, whose locks a fork would leave
   locked forever: from there, workers are started as new interpreters. All wait on one socket.
2. Beam starts a `worker_relay` process for each worker it needs; the socket connects the relay to a
   waiting worker.
3. The worker takes the relay's environment variables, and works for Beam.

A worker ends with the launcher, however the launcher ends.
"""

import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkProcess
from pathlib import Path

from pipelines.runner import worker_relay as relay
from pipelines.runner.worker import BEAT, EXIT_SHORTAGE, EXIT_UNCONNECTED, serve
from schemas.errors import UsageError

_SOCKET = "workers"
_MAX_PATH = 103  # bytes of a socket's path: 107 on Linux, 103 on macOS
_SHORT = "/tmp"  # noqa: S108 - a folder within it is made safely
_ENDING_SECONDS = 2.0  # from the end of a worker's connection to that of the worker
_SERVE = (
    "import socket, sys; from pipelines.runner.worker import serve; "
    "listener, pulse, launcher, folder = sys.argv[1:]; "
    "serve(socket.socket(fileno=int(listener)), int(pulse), int(launcher), folder)"
)
_CAUSES = {
    EXIT_SHORTAGE: "no memory or no further thread was to be had; use fewer --workers",
    EXIT_UNCONNECTED: "it could not connect to this process through localhost; check the name "
    "localhost and the firewall, or use --workers 1",
}
_KILLED = "if it was killed for want of memory, use fewer --workers"

_Process = ForkProcess | subprocess.Popen[bytes]


class Worker:
    """A worker process, as the launcher sees it."""

    def __init__(self, process: _Process, pulse: int) -> None:
        """Watch a process that writes its processor times to the other end of a pipe."""
        self._process = process
        self._pulse = pulse
        os.set_blocking(pulse, False)
        self.seconds = 0.0  # of the processor, as it has last sent them
        self.heard = time.monotonic()  # when it last sent anything

    def listen(self) -> None:
        """Take in what the worker has sent."""
        try:
            beats = os.read(self._pulse, 65_536 // BEAT.size * BEAT.size)
        except BlockingIOError:  # nothing
            return
        if beats:
            (self.seconds,) = BEAT.unpack(beats[-BEAT.size :])
            self.heard = time.monotonic()

    def status(self) -> int | None:
        """Return the exit status, or None while it runs."""
        if isinstance(self._process, subprocess.Popen):
            return self._process.poll()
        return self._process.exitcode

    def end(self) -> None:
        """End the worker, at once."""
        self._process.kill()
        if isinstance(self._process, subprocess.Popen):
            self._process.wait()
        else:
            self._process.join()
        os.close(self._pulse)


class WorkerPool:
    """The workers of a run, and the command by which Beam starts using one."""

    def __init__(self, command: str, workers: list[Worker]) -> None:
        self.command = command
        self.workers = workers

    def death(self) -> str:
        """Return why a worker ended that should not have, in words."""
        until = time.monotonic() + _ENDING_SECONDS
        while time.monotonic() < until:
            for status in filter(None, (worker.status() for worker in self.workers)):
                return _CAUSES.get(status, _KILLED)
            time.sleep(0.01)
        return _KILLED


@contextmanager
def ready_workers(count: int, *, fork: bool) -> Iterator[WorkerPool]:
    """Start workers, and end them after the block.

    Args:
        count: the number of workers.
        fork: whether workers are forked, which takes a process without other threads.
    """
    start = _forked if fork and sys.platform == "linux" else _started
    folder = tempfile.mkdtemp(prefix="regionforge-", dir=socket_folder())  # for this user only
    path = os.path.join(folder, _SOCKET)
    workers: list[Worker] = []
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(count)
            for _ in range(count):
                workers.append(_worker(start, listener, folder))  # noqa: PERF401 - so all are ended
        # From here on only waiting workers hold the socket, since each worker closes it when it
        # gets a relay. If a worker has died, the relay without a worker fails instead of waiting.
        yield WorkerPool(shlex.join([sys.executable, "-I", "-S", relay.__file__, path]), workers)
    finally:
        for worker in workers:
            worker.end()
        shutil.rmtree(folder, ignore_errors=True)


def socket_folder() -> str:
    """Return a folder for temporary files whose path leaves room for that of a socket.

    Raises:
        UsageError: there is none.
    """
    usual = tempfile.gettempdir()
    longest = os.path.join("regionforge-12345678", _SOCKET)
    for folder in (usual, _SHORT):
        fits = len(os.fsencode(os.path.join(folder, longest))) <= _MAX_PATH
        if fits and os.access(folder, os.W_OK | os.X_OK):
            return folder
    raise UsageError(
        f"the folder for temporary files, {usual}, has too long a path for the socket of workers: "
        f"set TMPDIR to one of at most {_MAX_PATH - 1 - len(longest)} bytes, or use --workers 1"
    )


_Start = Callable[[socket.socket, int, str], _Process]


def _worker(start: _Start, listener: socket.socket, folder: str) -> Worker:
    receiving, sending = os.pipe()
    try:
        process = start(listener, sending, folder)
    except BaseException:
        os.close(receiving)
        raise
    finally:
        os.close(sending)
    return Worker(process, receiving)


def _forked(listener: socket.socket, pulse: int, folder: str) -> ForkProcess:
    words = (listener, pulse, os.getpid(), folder)
    worker = ForkProcess(target=serve, args=words, daemon=True)
    worker.start()
    return worker


def _started(listener: socket.socket, pulse: int, folder: str) -> subprocess.Popen[bytes]:
    """Start a worker as a new interpreter that imports what this one does, wherever it is run."""
    fileno = listener.fileno()
    words = [sys.executable, "-P", "-c", _SERVE, *map(str, (fileno, pulse, os.getpid(), folder))]
    home = str(Path(__file__).resolve().parents[2])  # of our packages
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([home, *filter(None, sys.path)])}
    return subprocess.Popen(  # noqa: S603 - this interpreter, and words of our own
        words, pass_fds=[fileno, pulse], env=environment, stdin=subprocess.DEVNULL
    )

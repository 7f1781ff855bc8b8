"""The local worker processes of a build.

1. Before any thread is started, the command line forks its workers, so that they import nothing
   again. Any other process (a notebook, a test) may have threads, whose locks a fork would leave
   locked forever: from there, workers are started as new interpreters. All wait on one socket.
2. Beam starts a `worker_relay` process for each worker it needs; the socket connects the relay to a
   waiting worker.
3. The worker takes the relay's environment variables, and works for Beam.

A worker ends with the launcher, however the launcher ends.
"""

import json
import logging
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkProcess
from pathlib import Path

import grpc
from apache_beam.runners.worker import sdk_worker_main

from pipelines.runner import worker_relay as relay

POLL_SECONDS = 1.0
_SERVE = "import sys; from pipelines.runner.worker_pool import serve; serve(*sys.argv[1:])"

_Worker = ForkProcess | subprocess.Popen[bytes]


@contextmanager
def ready_workers(count: int, *, fork: bool) -> Iterator[str]:
    """Start workers, and yield the shell command by which Beam starts using a worker.

    Args:
        count: the number of workers.
        fork: whether workers are forked, which takes a process without other threads.
    """
    start = _forked if fork and sys.platform == "linux" else _started
    folder = tempfile.mkdtemp(prefix="regionforge-")  # readable by this user only
    path = os.path.join(folder, "workers")
    workers: list[_Worker] = []
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(count)
            workers += [start(listener, folder) for _ in range(count)]
        # From here on only waiting workers hold the socket, since each worker closes it when it
        # gets a relay. If a worker has died, the relay without a worker fails instead of waiting.
        yield shlex.join([sys.executable, "-I", "-S", relay.__file__, path])
    finally:
        for worker in workers:
            worker.kill()
            worker.wait() if isinstance(worker, subprocess.Popen) else worker.join()
        shutil.rmtree(folder, ignore_errors=True)


def _forked(listener: socket.socket, folder: str) -> ForkProcess:
    worker = ForkProcess(target=_serve, args=(listener, os.getpid(), folder), daemon=True)
    worker.start()
    return worker


def _started(listener: socket.socket, folder: str) -> subprocess.Popen[bytes]:
    """Start a worker as a new interpreter that imports what this one does, wherever it is run."""
    fileno = listener.fileno()
    words = [sys.executable, "-P", "-c", _SERVE, str(fileno), str(os.getpid()), folder]
    home = str(Path(__file__).resolve().parents[2])  # of our packages
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([home, *filter(None, sys.path)])}
    return subprocess.Popen(  # noqa: S603 - this interpreter, and words of our own
        words, pass_fds=[fileno], env=environment, stdin=subprocess.DEVNULL
    )


def serve(fileno: str, launcher: str, folder: str) -> None:
    """Work for Beam in a new interpreter, on the words of its command line."""
    _serve(socket.socket(fileno=int(fileno)), int(launcher), folder)


def _serve(listener: socket.socket, launcher: int, folder: str) -> None:
    threading.Thread(target=_end_with, args=(launcher, folder), daemon=True).start()
    # A worker's messages reach the launcher through Beam. On standard error they would be
    # repeated, and each thread would report the end of the connection to the launcher.
    sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the process ends
    logging.getLogger().handlers = [logging.NullHandler()]
    threading.excepthook = lambda _: None
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the launcher handles interrupts
    connection, _ = listener.accept()
    listener.close()
    with connection:
        orders = b"".join(iter(lambda: connection.recv(65_536), b""))
        os.environ.update(json.loads(orders))
        try:
            sdk_worker_main.main([])
        except grpc.RpcError:  # the launcher has closed the connection
            os._exit(1)
        connection.sendall(relay.DONE)


def _end_with(launcher: int, folder: str) -> None:
    while os.getppid() == launcher:
        time.sleep(POLL_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)

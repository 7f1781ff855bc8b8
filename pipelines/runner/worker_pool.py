"""The local worker processes of a build, forked early, so that they import nothing again.

1. Before any thread is started, the launcher forks its workers; all workers wait on one socket.
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
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkProcess, SpawnProcess

import grpc
from apache_beam.runners.worker import sdk_worker_main

from pipelines.runner import worker_relay as relay

POLL_SECONDS = 1.0
_PROCESS = ForkProcess if sys.platform == "linux" else SpawnProcess


@contextmanager
def ready_workers(count: int) -> Iterator[str]:
    """Fork workers, and yield the shell command by which Beam starts using a worker."""
    folder = tempfile.mkdtemp(prefix="regionforge-")  # readable by this user only
    path = os.path.join(folder, "workers")
    workers = []
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(count)
            for _ in range(count):
                arguments = listener, os.getpid(), folder
                workers.append(_PROCESS(target=_serve, args=arguments, daemon=True))
                workers[-1].start()
        # From here on only waiting workers hold the socket, since each worker closes it when it
        # gets a relay. If a worker has died, the relay without a worker fails instead of waiting.
        yield shlex.join([sys.executable, "-I", "-S", relay.__file__, path])
    finally:
        for worker in workers:
            worker.kill()
        shutil.rmtree(folder, ignore_errors=True)


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

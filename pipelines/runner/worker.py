"""A worker process of a local build: it waits for Beam's orders and works until it is told to end.

It ends with the launcher, however the launcher ends. Every second it sends its processor time to
the launcher, so that one sees a worker that is stopped or waits for nothing. Where it cannot go on,
it ends with one of the exit statuses below; the launcher says what that means.
"""

import json
import logging
import os
import re
import shutil
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable

import grpc
from apache_beam.runners.worker import sdk_worker_main
from apache_beam.runners.worker.channel_factory import GRPCChannelFactory

from pipelines.runner import worker_relay as relay
from pipelines.runner.thread_starts import on_failed_thread
from schemas.shortage import shortage

BEAT_SECONDS = 1.0
BEAT = struct.Struct("d")  # the processor time of the worker so far, in seconds
CONNECT_SECONDS = 30.0  # until the launcher must have been reached
_GRACE_SECONDS = 10.0  # from a lost connection to the end, if nothing else ends the worker

EXIT_UNCONNECTED, EXIT_LOST, EXIT_SHORTAGE = 71, 72, 73
_CONTROL = "CONTROL_API_SERVICE_DESCRIPTOR"  # the name of a variable
_ADDRESS = re.compile(r'url: "([^"]+)"')  # in its value


def serve(listener: socket.socket, pulse: int, launcher: int, folder: str) -> None:
    """Work for Beam.

    Args:
        listener: the socket at which a relay brings Beam's orders.
        pulse: the file descriptor to which processor times are written.
        launcher: the id of the process with which this one ends.
        folder: the folder of the socket, removed if the launcher cannot do it.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the launcher handles them, and ends its workers
    # A worker's messages reach the launcher through Beam. On standard error they would be
    # repeated, and each thread would report the end of the connection to the launcher.
    sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - until the process ends
    logging.getLogger().handlers = [logging.NullHandler()]
    threading.excepthook = _end_of_thread
    try:
        threading.Thread(target=_beat, args=(pulse, launcher, folder), daemon=True).start()
        connection, _ = listener.accept()
        listener.close()
        with connection:
            orders = b"".join(iter(lambda: connection.recv(65_536), b""))
            os.environ.update(json.loads(orders))
            with on_failed_thread(lambda _: os._exit(EXIT_SHORTAGE)):
                _work()
            connection.sendall(relay.DONE)
    except grpc.RpcError:  # the launcher has closed the connection
        os._exit(EXIT_LOST)
    except BaseException as error:
        if shortage(error):
            os._exit(EXIT_SHORTAGE)
        raise


def _work() -> None:
    # A proxy of the environment is for other machines, and Beam's channels lead to this one.
    os.environ["no_grpc_proxy"] = "localhost,127.0.0.1,::1"  # noqa: SIM112 - gRPC's name for it
    (address,) = _ADDRESS.findall(os.environ[_CONTROL])
    # Beam would wait for a minute, and then for the end of its own log.
    with GRPCChannelFactory.insecure_channel(address) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=CONNECT_SECONDS)
        except grpc.FutureTimeoutError:
            os._exit(EXIT_UNCONNECTED)
    sdk_worker_main.main([])


def _end_of_thread(args: threading.ExceptHookArgs) -> None:
    """End the process after a thread that Beam would wait for."""
    if args.exc_value is not None and shortage(args.exc_value):
        os._exit(EXIT_SHORTAGE)
    end = _later(_GRACE_SECONDS, lambda: os._exit(EXIT_LOST))
    end.start()


def _later(seconds: float, act: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    return timer


def _beat(pulse: int, launcher: int, folder: str) -> None:
    """Send the processor time to the launcher, until it is gone."""
    os.set_blocking(pulse, False)
    while os.getppid() == launcher:
        try:
            os.write(pulse, BEAT.pack(time.process_time()))
        except BlockingIOError:  # the launcher is stopped
            pass
        except OSError:  # it is gone, or no longer listens
            break
        time.sleep(BEAT_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(EXIT_LOST)

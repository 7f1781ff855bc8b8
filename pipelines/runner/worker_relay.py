"""The process that Beam starts as a worker; it passes Beam's orders to a waiting worker process.

The orders are environment variables. The file is run by path, `worker_relay.py SOCKET`, and uses
only the standard library, so that it starts fast. The relay ends when the worker ends, and fails if
the worker was not done.
"""

import json
import os
import signal
import socket
import sys

_ORDERS = (
    "CONTROL_API_SERVICE_DESCRIPTOR",
    "LOGGING_API_SERVICE_DESCRIPTOR",
    "PIPELINE_OPTIONS",
    "WORKER_ID",
)
DONE = b"done"


def main() -> None:
    """Send Beam's orders to a worker, and wait until the worker is done; exit with 0 if it is."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as worker:
        worker.connect(sys.argv[1])
        orders = {name: os.environ[name] for name in _ORDERS if name in os.environ}
        worker.sendall(json.dumps(orders).encode())
        worker.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := worker.recv(16):
            answer += piece
    sys.exit(answer != DONE)


if __name__ == "__main__":
    try:
        main()
    except OSError:  # no worker is left; Beam reports the failed relay
        sys.exit(1)

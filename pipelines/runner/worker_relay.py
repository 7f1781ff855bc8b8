"""The process that Beam starts in place of a worker: it passes its orders to a waiting worker.

Run by path, with the standard library alone, so that it starts fast: `worker_relay.py SOCKET`.
The relay ends when the worker does, and fails if the worker broke off.
"""

import json
import os
import signal
import socket
import sys

ORDERS = (
    "CONTROL_API_SERVICE_DESCRIPTOR",
    "LOGGING_API_SERVICE_DESCRIPTOR",
    "PIPELINE_OPTIONS",
    "WORKER_ID",
)
DONE = b"done"


def main() -> None:
    """Pass on the orders, and wait until the worker is done."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as worker:
        worker.connect(sys.argv[1])
        orders = {name: os.environ[name] for name in ORDERS if name in os.environ}
        worker.sendall(json.dumps(orders).encode())
        worker.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := worker.recv(16):
            answer += piece
    sys.exit(answer != DONE)


if __name__ == "__main__":
    try:
        main()
    except OSError:  # nobody is there any more; Beam says so of a relay that fails
        sys.exit(1)

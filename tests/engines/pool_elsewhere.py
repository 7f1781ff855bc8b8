"""A pool of workers on another machine than the engine's, whose workers reach it all the same.

    python tests/engines/pool_elsewhere.py HOST PORT

Beam's job service and Prism tell a worker to come to `localhost` and a port. So each of these ports
is relayed from here to the engine's machine, `HOST`; the pool itself listens at `PORT`.
"""

import socket
import sys
import threading
import time
from contextlib import suppress
from typing import Any, ClassVar

from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer

_CHUNK_BYTES = 65536


class RelayingPool(BeamFnExternalWorkerPoolServicer):
    """A pool that relays the addresses which its workers are told."""

    host: ClassVar[str] = ""
    relayed: ClassVar[set[int]] = set()

    def StartWorker(  # noqa: N802 - Beam's name
        self, start_worker_request: Any, unused_context: Any
    ) -> Any:
        """Relay the addresses of a worker, and start it."""
        request = start_worker_request
        for endpoint in (request.control_endpoint, request.logging_endpoint):
            port = int(endpoint.url.rpartition(":")[2])
            if port not in self.relayed:
                self.relayed.add(port)
                _relay(port, self.host)
        return super().StartWorker(request, unused_context)


def _relay(port: int, host: str) -> None:
    server = socket.create_server(("localhost", port))

    def serve() -> None:
        while True:
            near, _ = server.accept()
            far = socket.create_connection((host, port))
            for ends in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=ends, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(_CHUNK_BYTES):
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


if __name__ == "__main__":
    RelayingPool.host = sys.argv[1]
    server = RelayingPool.start(use_process=True, port=int(sys.argv[2]))
    while server:
        time.sleep(60)

"""The engines of Beam that can be started on this machine, each with the flags that a build takes.

    local 1, local 2     the local runner with one process, with two
    job service          Beam's portable job service in a process of its own
    prism                Beam's Prism, a program in Go, which is installed by
                         `go install github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0`

The last two run our code in the process that starts the job (loopback), or in a pool of workers
that is a process of its own (pool).
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.measure import family

START_SECONDS = 120.0  # for a service, on a busy machine
JOB_SERVICE = Path(__file__).with_name("job_service_at.py")
POOL = "apache_beam.runners.worker.worker_pool_main"


@dataclass(frozen=True)
class Engine:
    """A running engine."""

    flags: tuple[str, ...]  # of a build on it
    services: tuple[subprocess.Popen[bytes], ...] = ()

    @property
    def pool(self) -> subprocess.Popen[bytes]:
        """Its pool of workers."""
        return self.services[-1]


def prism() -> str | None:
    """Return the path of Prism, or None where it is not installed."""
    go = os.environ.get("GOPATH", str(Path.home() / "go"))
    return shutil.which("prism", path=f"{os.environ.get('PATH', '')}:{go}/bin")


def names() -> dict[str, str | None]:
    """Return the engines by name; each with the reason why it cannot be started, or None."""
    without = None if prism() else "Prism is not installed"
    reasons = {"job service": None, "prism": without}
    portable = {
        f"{name}, {where}": reason
        for name, reason in reasons.items()
        for where in ("loopback", "pool")
    }
    return {"local, 1": None, "local, 2": None, **portable}


@contextmanager
def started(
    name: str, folder: Path, programs: Path | None = None, host: str = "localhost"
) -> Iterator[Engine]:
    """Start an engine of `names()`, and stop it at the end.

    Args:
        name: the name.
        folder: the folder of its services' logs.
        programs: the folder of the program `python` that a pool runs; None: this one.
        host: the name of this machine that the job service tells its workers.
    """
    kind, where = name.split(", ")
    if kind == "local":
        yield Engine(("--workers", where))
        return
    with ExitStack() as stack:
        port, pool_port = free_port(), free_port()
        words = {
            "job service": [sys.executable, str(JOB_SERVICE), host, "--port", str(port)],
            "prism": [str(prism()), f"--job_port={port}", "--serve_http=false"],
        }[kind]
        services = [stack.enter_context(service(words, port, folder / f"{kind}.log"))]
        environment = ["--environment_type", "LOOPBACK"]
        if where == "pool":
            words = [sys.executable, "-m", POOL, "--service_port", str(pool_port)]
            services.append(
                stack.enter_context(
                    service(words, pool_port, folder / f"{kind}-pool.log", programs)
                )
            )
            environment = ["--environment_type", "EXTERNAL"]
            environment += ["--environment_config", f"localhost:{pool_port}"]
        flags = ("--runner", "PortableRunner", "--job_endpoint", f"localhost:{port}", *environment)
        yield Engine(flags, tuple(services))


@contextmanager
def service(
    words: list[str],
    port: int,
    log: Path,
    programs: Path | None = None,
    host: str = "localhost",
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a service until the end of the block; it answers at its port when the block begins."""
    first = programs or Path(sys.executable).parent  # a pool starts `python`
    path = f"{first}:{os.environ.get('PATH', '')}"
    with log.open("wb") as out:
        process = subprocess.Popen(
            words, stdout=out, stderr=out, env=os.environ | {"PATH": path}, cwd=log.parent
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(host, port):
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, f"{words} did not start"
            time.sleep(0.1)
        yield process
    finally:
        for pid in family(process.pid)[1:]:
            subprocess.run(["kill", "-9", str(pid)], check=False, capture_output=True)
        process.kill()
        process.wait()


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """Return a port that nothing listens at."""
    with socket.socket() as room:
        room.bind(("localhost", 0))
        return int(room.getsockname()[1])

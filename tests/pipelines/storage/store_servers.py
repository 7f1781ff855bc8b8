"""Servers of object stores on this machine, started from PyPI's and npm's packages."""

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

import pytest

from pipelines.storage import files
from pipelines.storage.store_client import client_of

BUCKET = "lake"
_REQUEST = re.compile(r"\b(GET|PUT|HEAD|POST|DELETE) (\S+) HTTP")
_AZURE_KEY = (  # azurite's, which its documentation names
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
_NEEDED = {"s3": ("s3fs", "moto"), "gs": ("gcsfs", "gcp_storage_emulator"), "az": ("adlfs",)}


class StoreServer:
    """A running server with an empty bucket, and the requests that it has answered."""

    def __init__(self, scheme: str, log: Path) -> None:
        self.scheme = scheme
        self._log = log

    def path(self, *names: str) -> str:
        """The path of an object or a folder in the bucket."""
        return "/".join((f"{self.scheme}://{BUCKET}", *names))

    def fill(self, folder: Path, name: str) -> str:
        """Copy a folder into the bucket, and return its path there."""
        for path in folder.rglob("*"):
            if path.is_file():
                below = path.relative_to(folder).as_posix()
                files.write_whole(self.path(name, below), path.read_bytes())
        return self.path(name)

    def content(self, name: str) -> dict[str, bytes]:
        """What is below a folder, by name."""
        return {
            below: files.read(self.path(name, below)) for below, _ in files.walk(self.path(name))
        }

    def mark(self) -> int:
        """The end of the log, from which on requests are counted."""
        return self._log.stat().st_size

    def requests(self, mark: int) -> list[tuple[str, str]]:
        """The requests since a mark: verb and address."""
        with self._log.open("rb") as log:
            log.seek(mark)
            text = log.read().decode(errors="replace")
        return [(verb, unquote(address)) for verb, address in _REQUEST.findall(text)]


def missing(scheme: str) -> str:
    """What is not installed for a kind of store, and how to; empty: nothing is missing."""
    if names := [name for name in _NEEDED[scheme] if find_spec(name) is None]:
        return f"{scheme}:// needs {' and '.join(names)}: make test-stores"
    if scheme == "az" and not shutil.which("azurite-blob"):
        return "az:// needs azurite-blob, which npm installs: make test-stores"
    return ""


@contextmanager
def started_store(scheme: str, folder: Path, host: str = "127.0.0.1") -> Iterator[StoreServer]:
    """Run a server with an empty bucket, to which the usual variables lead in the meantime.

    Another `host` of this machine than its own network is for `s3` alone.
    """
    with socket.socket() as free:
        free.bind((host, 0))
        port = free.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch, (folder / "log").open("wb") as log:
        for name, value in _environment(scheme, host, port).items():
            patch.setenv(name, value)
        with subprocess.Popen(
            _command(scheme, host, port), cwd=folder, stdout=log, stderr=log
        ) as process:
            try:
                _await(host, port, process)
                client = client_of(f"{scheme}://{BUCKET}")
                client.clear_instance_cache()
                client_of(f"{scheme}://{BUCKET}").mkdir(BUCKET)
                yield StoreServer(scheme, folder / "log")
            finally:
                process.kill()


def _command(scheme: str, host: str, port: int) -> list[str]:
    if scheme == "s3":
        return [sys.executable, "-m", "moto.server", "-H", host, "-p", str(port)]
    if scheme == "gs":
        return [sys.executable, str(Path(__file__).with_name("gcs_server.py")), str(port)]
    words = ["--blobPort", str(port), "--inMemoryPersistence", "--skipApiVersionCheck"]
    return ["azurite-blob", *words, "--disableTelemetry"]


def _environment(scheme: str, host: str, port: int) -> dict[str, str]:
    if scheme == "s3":
        keys = {"AWS_ACCESS_KEY_ID": "testing-key", "AWS_SECRET_ACCESS_KEY": "testing-secret"}
        region = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
        return keys | region | {"AWS_ENDPOINT_URL": f"http://{host}:{port}"}
    if scheme == "gs":
        return {"STORAGE_EMULATOR_HOST": f"http://{host}:{port}"}
    parts = {
        "DefaultEndpointsProtocol": "http",
        "AccountName": "devstoreaccount1",
        "AccountKey": _AZURE_KEY,
        "BlobEndpoint": f"http://{host}:{port}/devstoreaccount1",
    }
    text = ";".join(f"{name}={value}" for name, value in parts.items())
    return {"AZURE_STORAGE_CONNECTION_STRING": text}


def _await(host: str, port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.1)
        else:
            return

"""Servers of object stores on this machine, commands that use them, and files that are hashed."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pipelines.storage import files
from tests.pipelines.storage.store_servers import StoreServer, missing, started_store


@pytest.fixture
def fingerprinted(monkeypatch):
    """The paths that are read for their digest alone, in order."""
    paths, fingerprint = [], files.fingerprint

    def note(path):
        paths.append(path)
        return fingerprint(path)

    monkeypatch.setattr(files, "fingerprint", note)
    return paths


@pytest.fixture(scope="module", params=["s3", "gs", "az"])
def server(request, tmp_path_factory) -> Iterator[StoreServer]:
    """A server of each kind of store, to which the usual variables lead; skipped where missing."""
    if reason := missing(request.param):
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp(f"store-{request.param}")
    with started_store(request.param, folder) as running:
        yield running


@pytest.fixture(scope="session")
def command():
    """Starts `regionforge` in a process of its own."""

    def start(*words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "pipelines", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=dict(os.environ),
        )

    return start

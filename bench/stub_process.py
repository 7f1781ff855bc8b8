"""The stub of a model as a process of its own, which tests start, stop and read the log of."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent


class StubServer:
    """A running `bench/stub_server.py`."""

    def __init__(self, folder: Path, script: dict[str, Any], host: str = "127.0.0.1") -> None:
        folder.mkdir(parents=True)
        self._host = host
        self._script = folder / "script.json"
        self._script.write_text(json.dumps(script), encoding="utf-8")
        self._log = folder / "log.jsonl"
        self._port = 0
        self._forgotten = 0  # lines of the log
        self.start()

    def start(self) -> None:
        """Start it, where it was before."""
        files = ["--log", str(self._log), "--script", str(self._script)]
        where = ["--host", self._host, "--port", str(self._port)]
        self._port = self._begin([*where, *files])

    def _begin(self, words: list[str]) -> int:
        """Start a process with some words of a command line; return its port."""
        command = [sys.executable, "-m", "bench.stub_server", *words]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=CHECKOUT)
        assert self._process.stdout
        return int(self._process.stdout.readline())

    def stop(self) -> None:
        """Stop it at once."""
        self._process.kill()
        self._process.communicate()

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"http://{self._host}:{self._port}/v1"

    def log(self) -> list[dict[str, Any]]:
        """The log of all requests: for each a dict with id, attempt, status, times."""
        return [line for line in self.all_lines() if line["id"] != "probe"]

    def all_lines(self) -> list[dict[str, Any]]:
        """The log with the small calls that ask whether the server is there."""
        lines = self._log.read_text(encoding="utf-8").splitlines()[self._forgotten :]
        return list(map(json.loads, lines))

    def forget(self) -> None:
        """Let the log be as if nothing had been asked."""
        self._forgotten = len(self._log.read_bytes().splitlines())

    def statuses(self, request_id: str) -> list[int | str]:
        """The status of a request, attempt by attempt."""
        return [line["status"] for line in self.log() if line["id"] == request_id]

    def answered(self) -> Counter[str]:
        """How often each request was answered."""
        return Counter(line["id"] for line in self.log() if line["status"] == 200)

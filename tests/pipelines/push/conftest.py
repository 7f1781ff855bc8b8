"""A stand-in of the Hub's HTTP API on this machine, and builds to send to it."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest

TOKEN = "hf_abcdefghijklmnopqrstuvwxyz"


class Hub:
    """What the stand-in holds, and what it was asked."""

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, Any]] = {}  # what each was made with
        self.files: dict[str, bytes] = {}
        self.large: dict[str, str] = {}  # SHA-256 by path
        self.objects: dict[str, bytes] = {}  # by SHA-256
        self.commits: list[list[str]] = []
        self.uploads: list[str] = []
        self.tokens: set[str | None] = set()
        self.refuse_commit = 0  # the number of the commit that fails; 0: none
        self.status = 0  # of every answer; 0: as it should be
        self.url = ""

    def make(self, asked: dict[str, Any]) -> tuple[int, Any]:
        name = f"{asked.get('organization') or 'me'}/{asked['name']}"
        status = 409 if name in self.repositories else 200
        self.repositories.setdefault(name, asked)
        return status, {"url": f"{self.url}/datasets/{name}", "name": name}

    def paths(self, asked: str) -> tuple[int, Any]:
        return 200, [
            {
                "type": "file",
                "path": path,
                "size": len(self.files[path]),
                "oid": "0" * 40,
                **({"lfs": self._pointer(path)} if path in self.large else {}),
            }
            for path in parse_qs(asked).get("paths", ())
            if path in self.files
        ]

    def _pointer(self, path: str) -> dict[str, Any]:
        return {"oid": self.large[path], "size": len(self.files[path]), "pointerSize": 130}

    def preupload(self, asked: dict[str, Any]) -> tuple[int, Any]:
        modes = [
            {
                "path": file["path"],
                "uploadMode": "regular" if file["path"].endswith((".md", ".json")) else "lfs",
                "shouldIgnore": False,
            }
            for file in asked["files"]
        ]
        return 200, {"files": modes}

    def batch(self, asked: dict[str, Any]) -> tuple[int, Any]:
        objects = []
        for item in asked["objects"]:
            there = item["oid"] in self.objects
            upload = {"upload": {"href": f"{self.url}/upload/{item['oid']}"}}
            objects.append(item | ({} if there else {"actions": upload}))
        return 200, {"transfer": "basic", "objects": objects}

    def commit(self, asked: bytes) -> tuple[int, Any]:
        if self.refuse_commit and len(self.commits) + 1 == self.refuse_commit:
            return 500, {"error": f"a bad day, {TOKEN}"}
        paths = []
        for line in map(json.loads, asked.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                self.files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                self.files[value["path"]] = self.objects[value["oid"]]
                self.large[value["path"]] = value["oid"]
            else:
                continue
            paths.append(value["path"])
        self.commits.append(paths)
        url = f"{self.url}/datasets/me/regions/commit/{'1' * 40}"
        return 200, {"commitUrl": url, "commitOid": "1" * 40}


class Handler(BaseHTTPRequestHandler):
    """The stand-in's answers; `hub` is set in a class for each server."""

    hub: ClassVar[Hub]

    def do_PUT(self) -> None:
        content = self._body()
        digest = self.path.rpartition("/")[2]
        assert hashlib.sha256(content).hexdigest() == digest
        self.hub.objects[digest] = content
        self.hub.uploads.append(digest)
        self._answer(200, {})

    def do_POST(self) -> None:
        body = self._body()
        self.hub.tokens.add(self.headers["Authorization"])
        if self.hub.status:
            self._answer(self.hub.status, {"error": f"no entry with {TOKEN}"})
        else:
            self._answer(*self._outcome(body))

    def _outcome(self, body: bytes) -> tuple[int, Any]:
        if "/paths-info/" in self.path:
            return self.hub.paths(body.decode())
        if "/commit/" in self.path:
            return self.hub.commit(body)
        asked = json.loads(body)
        if "/preupload/" in self.path:
            return self.hub.preupload(asked)
        if self.path.endswith("/objects/batch"):
            return self.hub.batch(asked)
        known = {
            "/api/repos/create": self.hub.make,
            "/api/validate-yaml": lambda asked: (200, {"errors": [], "warnings": []}),
        }
        return known[self.path](asked)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _answer(self, status: int, document: Any) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def hub(monkeypatch) -> Iterator[Hub]:
    """A Hub that holds nothing, which the library of this process takes for the real one."""
    from huggingface_hub import constants, utils

    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    utils.disable_progress_bars()  # type: ignore[attr-defined]
    yield hub
    utils.enable_progress_bars()  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="session")
def one_licence(made_once, command_line, sample_world) -> Path:
    """A build whose records are under one licence."""

    def make(folder: Path) -> None:
        done = command_line(
            *("build", "--sources", "visual_genome", "--data-root", sample_world),
            *("--output", folder / "build", "--shard-size", "40KB"),
        )
        assert done.returncode == 0, done.stderr

    folder: Path = made_once("push_one_licence", make) / "build"
    return folder

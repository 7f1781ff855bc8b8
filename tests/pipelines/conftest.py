"""What tests of whole builds share: a tiny file in COCO's format, a build of it, and its output.

Length: tests import nothing from each other, so what several need stands here.
"""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from bench.stub_process import StubServer
from pipelines.cli.parser import run as run_command
from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.read import ReadSources
from pipelines.recipes.recipe import Recipe
from pipelines.runner.launch import LaunchOptions, launch
from pipelines.storage import extras
from pipelines.storage.store_client import STORES, Store
from schemas.ledger import Ledger
from schemas.manifest import Manifest
from tests.pipelines.reads import Counts, count_bytes

SIZE = (48, 32)  # width, height of a picture; pixels
LABEL_SET = "Things"
COMMAND = "from pipelines.cli.parser import main; main()"  # a program


class CocoFile:
    """A file in COCO's format and its pictures, written by `save`."""

    def __init__(self, file: Path, pictures: Path) -> None:
        self.file = file
        self.pictures = pictures
        self.data: dict[str, list[Any]] = {
            "images": [],
            "annotations": [],
            "categories": [{"id": 1, "name": "wine glass"}, {"id": 3, "name": "dog"}],
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        pictures.mkdir(parents=True, exist_ok=True)

    def picture(self, number: int, size: tuple[int, int] = SIZE, **changes: Any) -> dict[str, Any]:
        """Draw a picture and add its item, with some values changed."""
        noise = np.random.default_rng(number).integers(0, 256, (4, 6, 3), dtype=np.uint8)
        image = Image.fromarray(noise).resize(size, Image.Resampling.NEAREST)
        image.save(self.pictures / f"{number}.jpg")
        item = {"id": number, "file_name": f"{number}.jpg", "width": size[0], "height": size[1]}
        item |= changes
        self.data["images"].append(item)
        return item

    def listed(self, number: int, name: str, content: bytes | None, **changes: Any) -> None:
        """Add an image of any content, or of none, and one region of it."""
        if content is not None:
            (self.pictures / name).write_bytes(content)
        item = {"id": number, "file_name": name, "width": SIZE[0], "height": SIZE[1]}
        self.data["images"].append(item | changes)
        self.region(number * 10 + 1, number)

    def region(self, number: int, image: int, **changes: Any) -> dict[str, Any]:
        """Add an annotation, with some values changed."""
        item: dict[str, Any] = {
            "id": number,
            "image_id": image,
            "category_id": 3 if number % 2 else 1,
            "bbox": [4, 6, 20, 10],
            "iscrowd": 0,
            "segmentation": [[4, 6, 24, 6, 24, 16, 4, 16]],
        }
        item |= changes
        self.data["annotations"].append(item)
        return item

    def good(self, *numbers: int) -> "CocoFile":
        """Add pictures with two regions each: picture 7 has the regions 71 and 72."""
        for number in numbers or (1, 2, 3):
            self.picture(number)
            self.region(number * 10 + 1, number)
            self.region(number * 10 + 2, number, bbox=[10.5, 2.25, 30, 25])
        return self

    def save(self, **options: Any) -> "CocoFile":
        """Write the file as Python's own `json` does, NaN as a bare word included."""
        self.file.write_text(json.dumps(self.data, **options), encoding="utf-8")
        return self

    def request(self, **options: Any) -> SourceRequest:
        """Ask for this file as a user's own."""
        where = {"annotations": str(self.file), "images": str(self.pictures)}
        return SourceRequest(**{"name": "coco", "label_set": LABEL_SET, **where, **options})


class Output:
    """What a build has left on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def rows(self, shards: str = "*/*.arrow") -> list[dict[str, Any]]:
        """Every record, shard by shard."""
        records = []
        for path in sorted(self.folder.glob(shards)):
            with pa.ipc.open_stream(path) as stream:
                records += stream.read_all().to_pylist()
        return records

    def images(self) -> list[str]:
        """The ids of the images that came through, in order."""
        return sorted(row["id"].split("/")[2] for row in self.rows())

    def regions(self) -> dict[str, dict[str, Any]]:
        """Every region by id; where an id stands twice, it is an error."""
        all_regions = [region for row in self.rows() for region in row["regions"]]
        assert max(Counter(region["region_id"] for region in all_regions).values()) == 1
        return {region["region_id"]: region for region in all_regions}

    def rejected(self) -> list[tuple[str, str, str]]:
        """Kind, id and reason of what was left out, in order."""
        lines = [
            json.loads(line)
            for path in self.folder.glob("_rejected/*.jsonl")
            for line in path.read_bytes().splitlines()
        ]
        return sorted((line["kind"], line["id"], line["reason"]) for line in lines)

    def ledger(self) -> Ledger:
        """The ledger, which must balance and tell of the same rejections as their list."""
        ledger = Ledger.model_validate_json((self.folder / "ledger.json").read_bytes())
        assert ledger.problems() == []
        listed = Counter((kind, reason) for kind, _, reason in self.rejected())
        assert self.booked(ledger, "rejected") == listed
        return ledger

    def booked(self, ledger: Ledger, outcome: str) -> Counter[tuple[str, str]]:
        """How many of each kind the ledger has under `rejected` or `repaired`, by code."""
        counts: Counter[tuple[str, str]] = Counter()
        for (*_, kind), account in ledger.accounts():
            for code, number in getattr(account, outcome).items():
                counts[str(kind), str(code)] += number
        return counts

    def with_image(self) -> Counter[str]:
        """How many of each kind were left out with their images, in all stages."""
        counts: Counter[str] = Counter()
        for (*_, kind), account in self.ledger().accounts():
            counts[str(kind)] += account.with_image
        return +counts

    def sampled_out(self) -> Counter[tuple[str, str, str]]:
        """How many items were sampled out, by source, stage and kind."""
        counts: Counter[tuple[str, str, str]] = Counter()
        for (source, _, stage, kind), account in self.ledger().accounts():
            counts[source, str(stage), str(kind)] += account.sampled_out
        return +counts

    def repaired(self) -> Counter[tuple[str, str]]:
        """How many of each kind were set right, by code."""
        return self.booked(self.ledger(), "repaired")

    def manifest(self) -> Manifest:
        """The manifest."""
        return Manifest.model_validate_json((self.folder / "manifest.json").read_bytes())

    def digests(self) -> dict[str, str]:
        """The SHA-256 of every shard, by its path below the output."""
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.folder.rglob("*.arrow"))
        }


class Bucket:
    """A store in memory, with functions as of fsspec: its objects, and the requests for them.

    It shows an object whole or not at all, refuses to replace one on demand, and has no folders.
    """

    content: ClassVar[dict[str, bytes]] = {}  # by names that begin with bucket://
    changed: ClassVar[dict[str, datetime]] = {}
    requests: ClassVar[list[tuple[str, str]]] = []

    def __init__(self, **_: Any) -> None:
        pass

    def _ask(self, verb: str, path: str) -> str:
        self.requests.append((verb, path))
        return f"bucket://{path}"

    def _missing(self, path: str) -> FileNotFoundError:
        return FileNotFoundError(2, f"no {path}\nand more lines")

    def info(self, path, **_):
        name = self._ask("HEAD", path)
        if name in self.content:
            content = self.content[name]
            etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
            return {"name": path, "size": len(content), "type": "file", "ETag": etag}
        if any(other.startswith(f"{name}/") for other in self.content):
            return {"name": path, "size": 0, "type": "directory"}
        raise self._missing(path)

    def find(self, path, detail=False, **_):
        name = self._ask("LIST", path)
        found = {other for other in self.content if other.startswith(name)}
        return {
            other.removeprefix("bucket://"): {"size": len(self.content[other]), "type": "file"}
            for other in sorted(found)
        }

    def cat_file(self, path, start=None, end=None, **_):
        name = self._ask("GET", path)
        if name not in self.content:
            raise self._missing(path)
        return self.content[name][start:end]

    def pipe_file(self, path, value, mode="overwrite", **_):
        name = self._ask("PUT", path)
        if mode == "create" and name in self.content:
            raise FileExistsError(path)
        self.content[name] = bytes(value)
        self.changed[name] = datetime.now(UTC)

    def rm_file(self, path):
        name = self._ask("DELETE", path)
        if self.content.pop(name, None) is None:
            raise self._missing(path)

    def modified(self, path):
        return self.changed[self._ask("HEAD", path)]

    def open(self, path, mode="rb", **_):
        assert mode == "wb", mode
        return Upload(self, path)


class Upload(io.BytesIO):
    """An object of a bucket that is being written."""

    closed = False  # as the library's own, which is set from outside

    def __init__(self, bucket: Bucket, path: str) -> None:
        super().__init__()
        self._bucket, self._path = bucket, path

    def close(self) -> None:
        self._bucket.pipe_file(self._path, self.getvalue())

    def discard(self) -> None:
        self._bucket.requests.append(("ABORT", self._path))


IN_PARTS = 3


class InParts(LaunchOptions):
    """One process that reads each split as three processes would."""

    def parts(self) -> int:
        return IN_PARTS


@pytest.fixture(scope="session")
def coco_file(tmp_path_factory):
    """Makes a `CocoFile` in a folder of its own."""

    def make() -> CocoFile:
        folder = tmp_path_factory.mktemp("owner")
        return CocoFile(folder / "annotations.json", folder / "pictures")

    return make


@pytest.fixture
def two_splits(tmp_path):
    """A data root with both splits of COCO 2017, each with good images, saved."""
    root = tmp_path / "root"
    splits = {
        split: CocoFile(
            root / "coco" / "annotations" / f"instances_{split}2017.json",
            root / "coco" / f"{split}2017",
        )
        for split in ("train", "val")
    }
    splits["train"].good(1, 2, 3).save()
    splits["val"].good(4, 5).save()
    return root, splits


@pytest.fixture(scope="session")
def run_build(tmp_path_factory):
    """Builds a `CocoFile`, or all of COCO below a data root, in this process."""

    def run(inputs: CocoFile | Path, output: Path | None = None, **options: Any) -> Output:
        folder = output or tmp_path_factory.mktemp("output")
        options = {"allow_missing": True} | options  # the samples have few of the pictures
        request = options.pop("request", {})
        launch_options = options.pop("launch_options", LaunchOptions())
        if isinstance(inputs, CocoFile):
            source, root = inputs.request(**request), ""
        else:
            source, root = SourceRequest(**{"name": "coco", **request}), str(inputs)
        plan = make_plan(Recipe(sources=(source,), **options), root, str(folder))
        launch(plan, launch_options)
        return Output(folder)

    return run


@pytest.fixture
def version_1(tmp_path: Path) -> Path:
    """A copy of the outputs of schema version 1: the folders `build` and `recapd`."""
    return Path(shutil.copytree(Path(__file__).parent / "version_1", tmp_path / "version_1"))


@pytest.fixture(scope="session")
def command_line():
    """Runs the command line in this process, which has everything imported."""

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        command = list(map(str, words))
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
            status = run_command(command)
        return subprocess.CompletedProcess(command, status, out.getvalue(), err.getvalue())

    return run


class Forked:
    """A running process that was forked; `ask` has `forked_commands.py` answer a line."""

    def __init__(self, ask: Callable[[object], int], command: dict[str, Any]) -> None:
        self._ask, self._command = ask, command
        self.pid = ask(command)

    def wait(self) -> subprocess.CompletedProcess[str]:
        """Wait for its end."""
        status = self._ask(self.pid)
        out, err = (Path(self._command[name]).read_text("utf-8") for name in ("out", "err"))
        return subprocess.CompletedProcess(self._command["words"], status, out, err)


@pytest.fixture(scope="session")
def forked(tmp_path_factory):
    """Starts a command in a process that has everything imported; see `forked_commands.py`.

    It is one of `python -m pipelines`, or words for another program, as with `python -c`.
    """
    script = Path(__file__).with_name("forked_commands.py")
    pipe, folder = subprocess.PIPE, tmp_path_factory.mktemp("forked")
    with subprocess.Popen([sys.executable, script], stdin=pipe, stdout=pipe, text=True) as forks:
        assert forks.stdin
        assert forks.stdout
        orders, answers = forks.stdin, forks.stdout

        def ask(order: object) -> int:
            orders.write(json.dumps(order) + "\n")
            orders.flush()
            return int(answers.readline())

        def start(*words: object, program: str = COMMAND, **env: str) -> Forked:
            out, err = (tempfile.mkstemp(dir=folder)[1] for _ in range(2))
            command = {"program": program, "words": list(map(str, words)), "out": out, "err": err}
            return Forked(
                ask, command | {"folder": os.getcwd(), "environment": dict(os.environ) | env}
            )

        yield start
        orders.close()


@pytest.fixture(scope="session")
def new_process(
    forked: Callable[..., Forked],
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `python -m pipelines` in a process of its own, which may have worker processes.

    Where variables of the environment are given, they hold while it imports, too.
    """

    def run(*words: object, **env: str) -> subprocess.CompletedProcess[str]:
        if not env:
            return forked(*words).wait()
        command = [sys.executable, "-m", "pipelines", *map(str, words)]
        return subprocess.run(command, env=os.environ | env, capture_output=True, text=True)

    return run


@pytest.fixture(scope="session")
def in_parts():
    """How a build is launched that reads in several parts, also what is small."""
    is_small = ReadSources.is_small
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            ReadSources,
            "is_small",
            lambda sources, split: sources.parts != IN_PARTS and is_small(sources, split),
        )
        yield InParts()


@pytest.fixture
def bytes_read(monkeypatch: pytest.MonkeyPatch) -> Counts:
    """Counts the bytes that are read of each file: ("look" or "stages", path)."""
    return count_bytes(monkeypatch)


@pytest.fixture(scope="session")
def output_of():
    """Looks at what any build has left in a folder."""
    return Output


@pytest.fixture(scope="session")
def tinycoco(samples, tmp_path_factory):
    """Real pictures and annotations of COCO in the owner's layout: a data root of links."""
    root, tiny = tmp_path_factory.mktemp("tinycoco"), samples / "coco" / "tinycoco"
    (root / "coco").mkdir()
    (root / "coco" / "annotations").symlink_to(tiny / "annotations")
    for split in ("train2017", "val2017"):
        (root / "coco" / split).symlink_to(tiny / "images" / split)
    return root


@pytest.fixture
def remote_store(monkeypatch):
    """Fills a remote store in memory: files by their whole names, which begin with bucket://."""

    store = Store(
        extra="memory",
        files=f"{Bucket.__module__}:Bucket",
        settings=lambda options: {},
        errors=(),
    )

    def fill(content: dict[str, bytes]) -> type[Bucket]:
        monkeypatch.setattr(Bucket, "content", content)
        monkeypatch.setattr(Bucket, "changed", dict.fromkeys(content, datetime.now(UTC)))
        monkeypatch.setattr(Bucket, "requests", [])
        monkeypatch.setitem(sys.modules, Bucket.__module__, sys.modules[__name__])
        monkeypatch.setitem(STORES, "bucket", store)
        monkeypatch.setitem(extras._MODULES, "memory", ("io",))
        return Bucket

    return fill


class ForkedServer(StubServer):
    """A stub server that is forked; `ask` has `forked_servers.py` answer a line."""

    def __init__(self, ask: Callable[[object], Any], folder: Path, script: dict[str, Any]) -> None:
        self._ask = ask
        super().__init__(folder, script)

    def _begin(self, words: list[str]) -> int:
        self._pid, port = self._ask(words)
        return int(port)

    def stop(self) -> None:
        """Stop it at once, if it runs."""
        if self._pid:
            self._ask(self._pid)
            self._pid = 0


@pytest.fixture(scope="session")
def server_forks() -> Iterator[Callable[[object], Any]]:
    """Asks one process to start and end servers; see `forked_servers.py`."""
    command = [sys.executable, str(Path(__file__).with_name("forked_servers.py"))]
    pipe, turn = subprocess.PIPE, threading.Lock()
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as forks:
        assert forks.stdin
        assert forks.stdout
        orders, answers = forks.stdin, forks.stdout

        def ask(order: object) -> Any:
            with turn:
                orders.write(json.dumps(order) + "\n")
                orders.flush()
                return json.loads(answers.readline())

        yield ask
        orders.close()


@pytest.fixture(scope="session")
def serve_in(server_forks: Callable[[object], Any]) -> Callable[..., StubServer]:
    """Starts a server that keeps its files in a folder; it is to be stopped."""
    return lambda folder, **script: ForkedServer(server_forks, folder, script)


@pytest.fixture
def serve(
    serve_in: Callable[..., StubServer], tmp_path: Path
) -> Iterator[Callable[..., StubServer]]:
    """Starts a server, given rules and the other fields of its script."""
    running: list[StubServer] = []

    def start(*rules: dict[str, Any], **script: Any) -> StubServer:
        running.append(serve_in(tmp_path / f"server-{len(running)}", rules=rules, **script))
        return running[-1]

    yield start
    for server in running:
        server.stop()

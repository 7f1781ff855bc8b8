"""A server of our own for tests of captioning: a process that answers, and fails on order."""

import asyncio
import json
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bench.stub_process import StubServer
from pipelines.cli import parser as cli
from pipelines.datasets.spec import SourceRequest
from pipelines.recap.captioning.captioner import Answer, CaptionTarget, PromptImage, Request
from pipelines.recap.captioning.replay import ReplayOnlyCaptioner
from pipelines.recap.client.captioner import OpenAICaptioner
from pipelines.recap.client.endpoints import Servers
from pipelines.recap.flow import CaptionTools
from pipelines.recap.plan import make_recap_plan
from pipelines.recap.run import run_recap
from pipelines.recipes.recap import Captioning, Filter, RecapRecipe


class FakeVllm:
    """A program that is called as vLLM's are; it runs `fake_vllm.py`."""

    def __init__(self, folder: Path, name: str, plan: dict[str, Any]) -> None:
        folder.mkdir(parents=True)
        (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
        self._folder = folder
        self.path = folder / name
        command = [sys.executable, Path(__file__).with_name("fake_vllm.py"), folder / "plan.json"]
        words = " ".join(shlex.quote(str(word)) for word in command)
        self.path.write_text(f'#!/bin/sh\nexec {words} "$@"\n', encoding="utf-8")
        self.path.chmod(0o755)

    def lives(self) -> list[dict[str, Any]]:
        """A dict for each start: pids (its own first), arguments, and the key."""
        path = self._folder / "lives.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def log(self) -> list[dict[str, Any]]:
        """The log of all requests, over all lives."""
        lines = (self._folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def left(self) -> list[int]:
        """The processes of it that have not ended."""
        return [pid for life in self.lives() for pid in life["pids"] if is_running(pid)]


def is_running(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def fake_vllm(tmp_path: Path) -> Callable[..., FakeVllm]:
    """Writes a program called `name` that stands in for vLLM; a plan says how it behaves."""
    return lambda name="vllm", **plan: FakeVllm(tmp_path / f"fake-{name}", name, plan)


@pytest.fixture(scope="session")
def picture() -> bytes:
    """A small JPEG."""
    room = BytesIO()
    Image.new("RGB", (32, 24), (200, 40, 40)).save(room, "JPEG")
    return room.getvalue()


@pytest.fixture(scope="session")
def make_requests(picture: bytes) -> Callable[..., list[Request]]:
    """Makes a number of requests, each about another image."""

    async def load_image() -> PromptImage:
        return PromptImage(picture, CaptionTarget(32, 24, ()))

    def make(number: int, name: str = "r") -> list[Request]:
        return [
            Request(
                id=f"coco/train/{name}{index}/image/0",
                image_rank=index,
                prompt=f"Describe picture {name}{index}.",
                load_image=load_image,
                max_tokens=64,
            )
            for index in range(number)
        ]

    return make


@pytest.fixture
def make_captioner() -> Callable[..., OpenAICaptioner]:
    """Makes a captioner of little patience; fields of `Servers` and `Captioning` can be given."""

    def make(
        *servers: StubServer | str,
        captioning: dict[str, Any] | None = None,
        say: Any = None,
        **fields: Any,
    ) -> OpenAICaptioner:
        urls = tuple(each if isinstance(each, str) else each.url for each in servers)
        quick = {"backoff": 0.01, "backoff_limit": 0.1, "patience": 20.0, "time_limit": 10.0}
        where = Servers(endpoints=urls, **(quick | fields))
        made = Captioning(model="stub", **(captioning or {}))
        return OpenAICaptioner(where, made, say or (lambda _: None))

    return make


@pytest.fixture
def ask_all(make_captioner: Callable[..., OpenAICaptioner]) -> Callable[..., list[Any]]:
    """Asks all requests side by side, and returns an answer or an exception for each."""

    def ask(requests: Sequence[Request], *servers: StubServer | str, **fields: Any) -> list[Any]:
        async def run() -> list[Answer | BaseException]:
            captioner = make_captioner(*servers, **fields)
            try:
                asked = (captioner.ask(request) for request in requests)
                return await asyncio.gather(*asked, return_exceptions=True)
            finally:
                await captioner.close()

        return asyncio.run(run())

    return ask


@pytest.fixture(scope="session")
def small_clip() -> Any:
    """The small CLIP on the processor, loaded once."""
    from pipelines.recap.clip.open_clip import ClipScorer

    return ClipScorer(device="cpu")


class RecapOutput:
    """The output of a run of `recap`, its journals included."""

    def __init__(self, output: Any) -> None:
        self.output = output  # that of any build
        self.folder: Path = output.folder

    def journal(self) -> list[dict[str, Any]]:
        """All lines of all journals; each file must be whole."""
        paths = sorted(self.folder.glob("_state/captions/*/*.jsonl"))
        contents = [path.read_bytes() for path in paths]
        assert all(content.endswith(b"\n") for content in contents)
        return [json.loads(line) for content in contents for line in content.splitlines()]

    def parts(self) -> Counter[str]:
        """How often each request is in a journal, or in a segment that is not merged yet."""
        paths = self.folder.glob("_state/captions/**/*.jsonl")
        lines = [json.loads(line) for path in paths for line in path.read_bytes().splitlines()]
        return Counter(line["id"] for line in lines if line["type"] != "score")

    def noted(self) -> Counter[str]:
        """How often the journals have each request."""
        return Counter(line["id"] for line in self.journal() if line["type"] != "score")

    def captions(self) -> dict[str, str]:
        """The captions in the shards, by region id."""
        return {key: region["caption"] for key, region in self.output.regions().items()}

    def rejected(self, kind: str = "annotation") -> dict[str, str]:
        """The reason of each rejected id, which must be there once."""
        rejected = [item for item in self.output.rejected() if item[0] == kind]
        assert len({item[1] for item in rejected}) == len(rejected)
        return {item[1]: item[2] for item in rejected}


def _judge_of(server: StubServer, where: Servers, recipe: RecapRecipe) -> Any:
    model = recipe.filter.judge(recipe.captioning.max_pixels)
    assert model
    at = where.model_copy(update={"endpoints": (server.url,)})
    return partial(OpenAICaptioner, at, model, lambda _: None)


@pytest.fixture
def recap(output_of: Any, tmp_path: Path) -> Callable[..., RecapOutput]:
    """Runs all of `recap` on a `CocoFile` in this process, with a client of little patience."""

    def run(
        owner: Any,
        server: StubServer | None,
        *,
        output: Path | None = None,
        servers: dict[str, Any] | None = None,
        kept: Filter | None = None,
        scorer: Any = None,
        captioning: dict[str, Any] | None = None,
        refilter: bool = False,
        judge: StubServer | None = None,
        **recipe: Any,
    ) -> RecapOutput:
        url = server.url if server else "http://127.0.0.1:9/v1"
        quick = {"backoff": 0.01, "backoff_limit": 0.1, "patience": 20.0, "time_limit": 10.0}
        fields = {"endpoints": (url,), "concurrency": 4, **quick, **(servers or {})}
        where = Servers.model_validate(fields)
        asked_for = Captioning(model="stub", **(captioning or {}))
        files = {"train": str(owner.file), "images": str(owner.pictures)}
        made = RecapRecipe(
            sources=(SourceRequest(name="coco", label_set="Things", paths=files),),
            captioning=asked_for,
            filter=kept or Filter(),
            **({"shard_bytes": 2_000, "allow_missing": True} | recipe),
        )
        tools = CaptionTools(
            captioner=ReplayOnlyCaptioner
            if refilter
            else partial(OpenAICaptioner, where, asked_for, lambda _: None),
            scorer=scorer,
            concurrent_images=where.concurrency,
            judge=_judge_of(judge, where, made) if judge else None,
        )
        if refilter and made.filter.judge_model:
            tools = replace(tools, judge=ReplayOnlyCaptioner)
        folder = output or tmp_path / "recapd"
        run_recap(made, make_recap_plan(made, "", str(folder)), tools, refilter=refilter)
        return RecapOutput(output_of(folder))

    return run


@pytest.fixture(scope="session")
def recap_output(output_of: Any) -> Callable[[Path], RecapOutput]:
    """Returns the output of a run of `recap` in a folder."""
    return lambda folder: RecapOutput(output_of(folder))


@pytest.fixture
def recap_words(sample_world: Path, capfd: Any) -> Callable[..., tuple[int, str]]:
    """Runs the command line of `recap` in this process: its exit status and all that it printed."""

    def run(output: Path, *words: object, source: str = "v3det") -> tuple[int, str]:
        where = ["--source", source, "--data-root", str(sample_world), "--output", str(output)]
        status = cli.run(["recap", *where, *map(str, words)])
        return status, "\n".join(capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def recap_once(
    command_line: Any,
    serve_in: Callable[..., StubServer],
    sample_world: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., Path]:
    """Describes V3Det under some flags of `recap`, once for the same flags; read-only.

    Without `--captioner`, a server does.
    """

    @cache
    def run(*words: object) -> Path:
        folder = tmp_path_factory.mktemp("once") / "recapd"
        where = ["--source", "v3det", "--data-root", sample_world, "--output", folder]
        server = None
        if "--captioner" not in words:
            server = serve_in(folder.with_name("server"))
            where += ["--endpoint", server.url, "--model", "stub"]
        done = command_line("recap", *where, *words)
        if server:
            server.stop()
        assert done.returncode == 0, done.stderr
        return folder

    return run


@pytest.fixture
def recapd(recap_once: Callable[..., Path]) -> Callable[..., Path]:
    """Puts what `recap` leaves under some flags into a folder, as if it had run there."""

    def copy(folder: Path, *words: object) -> Path:
        run = recap_once(*words)
        shutil.copytree(run, folder)
        card = folder / "README.md"
        card.write_bytes(card.read_bytes().replace(str(run).encode(), str(folder).encode()))
        return folder

    return copy

"""`recap --serve` with a real vLLM and a tiny model: whole runs, and what can go wrong in them.

Run by `make test-vllm`, which makes what is needed and names its folder in REGIONFORGE_VLLM; no
part of `make test`. A server takes most of a minute to come up, so each test does a lot with one.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.sample_world import write_world

VLLM = Path(os.environ["REGIONFORGE_VLLM"])
MODEL = VLLM / "llava"
ARGS = "--dtype float32 --max-model-len 1024 --enforce-eager"
TWO_API_SERVERS = f"{ARGS} --api-server-count 2"  # only the executable takes it
TOO_LONG = "--dtype float32 --max-model-len 4096"  # the model ends at 1024 tokens
OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GB
    "VLLM_NO_USAGE_STATS": "1",
}
ENGINE, API_SERVER = "VLLM::EngineCor", "VLLM::APIServer"  # as far as the system keeps names
START_SECONDS = 300.0  # for a server, on a busy machine
GONE_SECONDS = 60.0  # for its processes to end, once nobody wants them

pytestmark = pytest.mark.timeout(1200)


class Recap:
    """A run of `recap --serve` in a process of its own."""

    def __init__(
        self,
        world: Path,
        output: Path,
        *more: str,
        vllm: str = "bin/python",
        serve_args: str = ARGS,
    ) -> None:
        self.output = output
        self._log = output.with_suffix(".log")
        command = [
            *(sys.executable, "-m", "pipelines", "recap", "--source", "v3det", "--no-filter"),
            *("--data-root", str(world), "--output", str(output), "--serve", str(MODEL)),
            *("--vllm", str(VLLM / vllm), f"--serve-args={serve_args}"),
            *("--temperature", "0.2", *more),  # the server's own is 1, at which it errs
        ]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env=os.environ | OFFLINE
            )

    def wait(self) -> tuple[int, str]:
        """The exit status, and all that was printed."""
        return self.process.wait(), self.printed()

    def printed(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def lines(self) -> list[dict[str, Any]]:
        """The whole lines of the journals."""
        contents = [path.read_bytes() for path in self.output.glob("_state/captions/*/*.jsonl")]
        whole = [line for content in contents for line in content.splitlines(True)]
        return [json.loads(line) for line in whole if line.endswith(b"\n")]

    def until(self, answers: int) -> None:
        """Wait until so many answers are written down."""
        wait_for(lambda: len(self.lines()) >= answers or self.process.poll() is not None)
        assert self.process.poll() is None, self.printed()

    def family(self) -> dict[int, str]:
        """The processes that came of the run, itself left out, and their names."""
        family, others = {self.process.pid: ""}, processes()
        while new := {p: n for p, (up, n) in others.items() if up in family and p not in family}:
            family |= new
        return {pid: name for pid, name in family.items() if name}

    def server(self) -> int:
        """The process that listens: the one child of our one child."""
        [reaper] = [pid for pid, (up, _) in processes().items() if up == self.process.pid]
        [server] = [pid for pid, (up, _) in processes().items() if up == reaper]
        return server

    def engine(self) -> int:
        """The process of the model."""
        [engine] = [pid for pid, name in self.family().items() if name == ENGINE]
        return engine


def processes() -> dict[int, tuple[int, str]]:
    """All processes that run: the parent and the name of each."""
    running = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:  # it has ended meanwhile
                continue
            name, fields = stat.partition("(")[2].rpartition(")")[::2]
            state, parent = fields.split()[:2]
            if state != "Z":
                running[int(folder.name)] = (int(parent), name)
    return running


def wait_for(true: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"not so after {seconds:g} s"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample world."""
    root = tmp_path_factory.mktemp("world")
    write_world(root, "small")
    return root


@pytest.fixture
def recap(world: Path, tmp_path: Path) -> Iterator[Callable[..., Recap]]:
    """Starts runs, all into one output, and ends them."""
    runs: list[Recap] = []

    def start(*more: str, **options: str) -> Recap:
        runs.append(Recap(world, tmp_path / "recapd", *more, **options))
        return runs[-1]

    yield start
    for run in runs:
        run.process.kill()
        run.process.wait()


def test_a_whole_world(recap: Callable[..., Recap]) -> None:
    run = recap(vllm="bin/vllm", serve_args=TWO_API_SERVERS)
    run.until(1)
    family = run.family()
    assert Counter(family.values())[API_SERVER] == 2
    status, printed = run.wait()
    assert status == 0, printed
    assert printed.count("server: starting") == printed.count("server: up after") == 1
    check_captions(run)
    # The canary was content, and captions follow the pictures too.
    assert len({line["answer"]["text"] for line in run.lines()}) >= 4
    assert Counter(line["answer"]["finish"] for line in run.lines()).keys() == {"stop"}
    assert family.keys() & processes().keys() == set()

    # All is there: no server is started again.
    status, printed = recap(vllm="bin/vllm", serve_args=TWO_API_SERVERS).wait()
    assert status == 0, printed
    assert "server:" not in printed


def test_the_server_is_killed(recap: Callable[..., Recap]) -> None:
    run = recap("--concurrency", "2")
    run.until(10)
    os.kill(run.server(), signal.SIGKILL)
    run.until(60)
    os.kill(run.engine(), signal.SIGKILL)
    status, printed = run.wait()
    assert status == 0, printed
    assert printed.count("server: up after") == 3
    assert printed.count("starting it again") == 2
    check_captions(run)


def test_the_server_does_not_come_up_and_then_we_are_killed(recap: Callable[..., Recap]) -> None:
    status, printed = recap(serve_args=TOO_LONG).wait()
    assert status == 1
    assert "the server did not come up" in printed
    assert "run the same command again" in printed
    assert "max_model_len (4096) is greater" in printed, "the end of its log says why"
    assert "Traceback" not in printed.split("The end of its log")[0]

    run = recap("--concurrency", "2")
    run.until(20)
    family = run.family()
    assert ENGINE in family.values()
    run.process.kill()
    wait_for(lambda: not family.keys() & processes().keys(), GONE_SECONDS)
    answered = {line["id"] for line in run.lines()}

    run = recap("--concurrency", "2")
    status, printed = run.wait()
    assert status == 0, printed
    check_captions(run)
    assert answered <= {line["id"] for line in run.lines()}


def check_captions(run: Recap) -> None:
    """Check the ledger, and that each region was asked about: once more where it got no caption."""
    verified = subprocess.run(
        [sys.executable, "-m", "pipelines", "verify", str(run.output)],
        capture_output=True,
        text=True,
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr
    ids = Counter(line["id"] for line in run.lines())
    assert set(ids.values()) == {1}, "an answer was asked for again"
    ledger = json.loads((run.output / "ledger.json").read_text(encoding="utf-8"))
    captions = [split["caption"] for split in ledger["sources"]["recapd"].values()]
    images = Counter[str]()
    for book in captions:
        images.update({"kept": book["image"]["kept"], **book["image"].get("rejected", {})})
    assert images.keys() <= {"kept", "no_regions"}
    # An image is asked about if it has a region, of which none may get a caption.
    assert images["kept"] <= sum("/image/" in key for key in ids) <= images.total()
    kept = sum(book["annotation"]["kept"] for book in captions)
    rejected = Counter[str]()
    for book in captions:
        rejected.update(book["annotation"]["rejected"])
    assert rejected.keys() <= {"caption_copies_global", "caption_repetitive"}
    assert kept > 50
    attempts = Counter(key.rpartition("/")[0] for key in ids if "/region/" in key)
    assert len(attempts) == kept + rejected.total()
    assert max(attempts.values()) == 2
    assert rejected.total() <= Counter(attempts.values())[2]

"""A worker that is killed in the middle of a run, on each engine with workers of its own.

The run ends in one line within three minutes, by the engine or by our watch, and the same command
on the same engine goes on: the bytes are those of a local run, no finished shard is made again, and
few calls of a model are repeated. In loopback the worker is the run's own process.

Run by `make test-engines`; no part of `make test`.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.measure import family
from bench.stub_process import StubServer
from pipelines.recap.captioning.segments import SEGMENT_LINES
from pipelines.sample_world.coco import write_coco
from pipelines.sample_world.scene import World
from regionforge import read_shards
from tests.engines.compare import digests_of
from tests.engines.engines import Engine, names, started

END_SECONDS = 180  # after a kill, with two minutes of our watch
RUN_SECONDS = 600  # of a whole run, on a busy machine
CONCURRENCY = 4
PORTABLE = [name for name in names() if not name.startswith("local")]

pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample world's COCO."""
    folder = tmp_path_factory.mktemp("world")
    write_coco(folder, World(seed=0, pictures=300))
    return folder


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with fewer pictures."""
    folder = tmp_path_factory.mktemp("few")
    write_coco(folder, World(seed=0, pictures=64))
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StubServer]:
    """A server that takes 50 ms for an answer."""
    running = StubServer(tmp_path_factory.mktemp("stub") / "model", {"delay": 0.05})
    yield running
    running.stop()


@pytest.fixture(params=PORTABLE)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A running engine."""
    if reason := names()[request.param]:
        pytest.skip(reason)
    with started(request.param, tmp_path) as running:
        yield running


def command(*words: str, root: Path, output: Path | str, flags: tuple[str, ...] = ()) -> list[str]:
    """A command that reads the world."""
    made = [sys.executable, "-m", "pipelines", *words, "--data-root", str(root)]
    return [*made, "--output", str(output), *flags]


def building(root: Path, output: Path | str, flags: tuple[str, ...] = ()) -> list[str]:
    labels = ("--label-set", "coco=Shapes-15", "--shard-size", "200KB")
    return command("build", "--sources", "coco", *labels, root=root, output=output, flags=flags)


def captioning(
    model: StubServer, root: Path, output: Path, flags: tuple[str, ...] = ()
) -> list[str]:
    words = ["recap", "--source", "coco", "--no-guard", "--label-set", "Shapes-15"]
    words += ["--model", "stub", "--no-filter", "--no-canary", "--endpoint", model.url]
    words += ["--concurrency", str(CONCURRENCY)]
    return command(*words, root=root, output=output, flags=flags)


def finish(words: list[str]) -> None:
    """Run a command to its good end."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=RUN_SECONDS)
    assert done.returncode == 0, done.stderr


def kill_in_the_middle(words: list[str], engine: Engine, is_middle: Callable[[], bool]) -> None:
    """Run a command, and kill the worker once the middle is reached; it ends in one line."""
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as run:
        while not is_middle():
            assert run.poll() is None, "it ended before the worker was killed"
            time.sleep(0.02)
        in_pool = len(engine.services) > 1
        for pid in family(engine.pool.pid)[1:] if in_pool else [run.pid]:
            os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        _, errors = run.communicate(timeout=END_SECONDS)
        seconds = time.monotonic() - killed
    *before, last = errors.splitlines()
    print(f"ended {seconds:.0f} s after the kill: {last}")
    if in_pool:
        assert run.returncode == 1
        assert last.startswith("error: ")
        assert last.endswith((" run the same command again.", " again to go on."))
        assert not any(line.startswith(("error", "Traceback")) for line in before)


def finished_shards(output: Path) -> dict[Path, tuple[int, int]]:
    """The shards that a rerun keeps, with what changes when one is written again."""
    states = (output / "_state" / "coco").glob("*.json")
    shards = [output / "coco" / state.name.removesuffix(".json") for state in states]
    return {shard: (shard.stat().st_ino, shard.stat().st_mtime_ns) for shard in shards}


def check_whole(output: Path, near: Path) -> None:
    """Each record of a local run is there once, and all files are the same."""
    expected, made = (
        Counter(key for batch in read_shards(folder) for key in batch["id"].to_pylist())
        for folder in (near, output)
    )
    print(f"{made.total()} records")
    assert set(expected.values()) == {1}
    assert made == expected
    assert digests_of(output) == digests_of(near)


def test_a_build_goes_on_after_its_worker_was_killed(
    world: Path, engine: Engine, tmp_path: Path
) -> None:
    near, output = tmp_path / "near", tmp_path / "out"
    finish(building(world, near))
    states = output / "_state" / "coco"
    words = building(world, output, engine.flags)
    kill_in_the_middle(words, engine, lambda: any(states.glob("*.json")))
    kept = finished_shards(output)
    assert 0 < len(kept) < len(list(near.rglob("*.arrow")))
    finish(words)
    assert finished_shards(output).items() >= kept.items()
    check_whole(output, near)


def test_captions_go_on_after_their_worker_was_killed(
    few: Path, engine: Engine, model: StubServer, tmp_path: Path
) -> None:
    near, output = tmp_path / "near", tmp_path / "out"
    model.forget()
    finish(captioning(model, few, near))
    calls = model.answered()
    model.forget()
    words = captioning(model, few, output, engine.flags)
    kill_in_the_middle(words, engine, lambda: model.answered().total() > 0.6 * calls.total())
    before = model.answered().total()
    finish(words)
    again = Counter(model.answered()) - calls
    print(f"{calls.total()} calls; killed after {before}; {again.total()} made again")
    assert before > SEGMENT_LINES + CONCURRENCY, "so that losing all would be seen"
    assert again.total() <= SEGMENT_LINES + CONCURRENCY
    assert set(model.answered()) == set(calls)
    check_whole(output, near)

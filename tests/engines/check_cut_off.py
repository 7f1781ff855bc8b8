"""A pool whose machine is cut off in the middle of a run: a line, and the same command goes on.

The pool is in a network namespace of its own, as on another machine that shares the disk, and its
link is set down. Once the run has ended the link is set up, and the same command goes on with the
same pool: what the workers that were cut off still do must neither lose nor double anything. Needs
root on Linux, else it is skipped. Run by `make test-engines`; no part of `make test`.
"""

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.stub_process import StubServer
from pipelines.recap.captioning.segments import SEGMENT_LINES
from pipelines.sample_world.coco import write_coco
from pipelines.sample_world.scene import World
from pipelines.storage import files
from tests.engines import elsewhere
from tests.engines.check_killed import (
    CONCURRENCY,
    building,
    captioning,
    check_whole,
    finish,
    finished_shards,
)
from tests.engines.compare import digests, digests_of
from tests.engines.elsewhere import HERE, pool_there
from tests.engines.engines import Engine, names
from tests.pipelines.storage.store_servers import missing, started_store

END_SECONDS = 560  # the worker notices after 320 s at most, and our watch after 120 more

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.usefixtures("network"),
    pytest.mark.parametrize("kind", ["job service", "prism"]),
    pytest.mark.skipif(elsewhere.missing(), reason="needs root, and ip"),
]


@pytest.fixture
def network() -> Iterator[None]:
    """A network namespace with a link to this one."""
    with elsewhere.linked():
        yield


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """The sample world's COCO."""
    write_coco(tmp_path / "world", World(seed=0, pictures=300))
    return tmp_path / "world"


@pytest.fixture
def model(network: None, tmp_path: Path) -> Iterator[StubServer]:
    """A server on this side of the link, which takes 50 ms for an answer."""
    running = StubServer(tmp_path / "model", {"delay": 0.05}, HERE)
    yield running
    running.stop()


@contextmanager
def engine_of(kind: str, folder: Path) -> Iterator[Engine]:
    """A running engine with its pool beyond the link; a test of one that is not here is skipped."""
    if reason := names()[f"{kind}, pool"]:
        pytest.skip(reason)
    with pool_there(kind, folder) as engine:
        yield engine


def cut_in_the_middle(words: list[str], is_middle: Callable[[], bool]) -> None:
    """Run a command, and cut the link once the middle is reached; it ends in one line."""
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as run:
        while not is_middle():
            assert run.poll() is None, "it ended before it was cut off"
            time.sleep(0.02)
        elsewhere.cut()
        began = time.monotonic()
        _, errors = run.communicate(timeout=END_SECONDS)
    *before, last = errors.splitlines()
    print(f"ended {time.monotonic() - began:.0f} s after the cut: {last}")
    assert run.returncode == 1
    assert last.startswith("error: ")
    assert not any(line.startswith(("error", "Traceback")) for line in before)


def test_a_build_goes_on(kind: str, world: Path, tmp_path: Path) -> None:
    near, output = tmp_path / "near", tmp_path / "out"
    finish(building(world, near))
    with engine_of(kind, tmp_path) as engine:
        words = building(world, output, engine.flags)
        cut_in_the_middle(words, lambda: any((output / "_state" / "coco").glob("*.json")))
        kept = finished_shards(output)
        elsewhere.mend()
        finish(words)
    assert finished_shards(output).items() >= kept.items()
    check_whole(output, near)


def test_captions_go_on(kind: str, model: StubServer, tmp_path: Path) -> None:
    few, near, output = tmp_path / "few", tmp_path / "near", tmp_path / "out"
    write_coco(few, World(seed=0, pictures=64))
    finish(captioning(model, few, near))
    calls = model.answered()
    model.forget()
    with engine_of(kind, tmp_path) as engine:
        words = captioning(model, few, output, engine.flags)
        cut_in_the_middle(words, lambda: model.answered().total() > 0.6 * calls.total())
        before = model.answered().total()
        elsewhere.mend()
        finish(words)
    again = Counter(model.answered()) - calls
    print(f"{calls.total()} calls; cut off after {before}; {again.total()} made again")
    assert before > SEGMENT_LINES + CONCURRENCY, "so that losing all would be seen"
    assert again.total() <= SEGMENT_LINES + CONCURRENCY
    assert set(model.answered()) == set(calls)
    check_whole(output, near)


def test_a_build_into_a_store_goes_on(kind: str, world: Path, tmp_path: Path) -> None:
    """The workers are cut off from the output, too."""
    if reason := missing("s3"):
        pytest.skip(reason)
    near = tmp_path / "near"
    finish(building(world, near))
    (tmp_path / "store").mkdir()
    with (
        started_store("s3", tmp_path / "store", HERE) as store,
        engine_of(kind, tmp_path) as engine,
    ):
        output = store.path("out")
        words = building(world, output, engine.flags)
        states = f"{output}/_state/coco"
        cut_in_the_middle(words, lambda: any(True for _ in files.walk(states)))
        finished = [name.removesuffix(".json") for name, _ in files.walk(states)]
        elsewhere.mend()
        mark = store.mark()
        finish(words)
        written = [address for verb, address in store.requests(mark) if verb in ("PUT", "POST")]
        made = store.content("out")
    assert finished
    assert not [name for name in finished if any(f"/coco/{name}" in path for path in written)]
    assert digests(made) == digests_of(near)

"""Captions of another engine's workers into a store: a kill of all, and the rest by the next run.

Run by `make test-engines`; no part of `make test`.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.measure import family
from bench.stub_process import StubServer
from pipelines.recap.captioning.segments import SEGMENT_LINES
from pipelines.sample_world.coco import write_coco
from pipelines.sample_world.scene import World
from pipelines.storage import files
from tests.engines.compare import digests, digests_of
from tests.engines.engines import names, started
from tests.pipelines.storage.store_servers import StoreServer, missing, started_store

CONCURRENCY = 4
WORKERS = 1  # of the pool, which engines ask for one
POOLS = [name for name in names() if name.endswith("pool")]

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreServer]:
    """A store in S3's words, with the sample world's COCO."""
    if reason := missing("s3"):
        pytest.skip(reason)
    write_coco(tmp_path / "world", World(seed=0, pictures=64))
    (tmp_path / "store").mkdir()
    with started_store("s3", tmp_path / "store") as running:
        running.fill(tmp_path / "world", "world")
        yield running


@pytest.fixture
def model(tmp_path: Path) -> Iterator[StubServer]:
    """A server that takes 50 ms for an answer."""
    running = StubServer(tmp_path / "model", {"delay": 0.05})
    yield running
    running.stop()


def words(model: StubServer, root: str, output: str, *more: str) -> list[str]:
    """The command of a run."""
    made = [sys.executable, "-m", "pipelines", "recap", "--source", "coco", "--no-guard"]
    made += ["--label-set", "Shapes-15", "--model", "stub", "--no-filter", "--no-canary"]
    made += ["--endpoint", model.url, "--concurrency", str(CONCURRENCY)]
    return [*made, "--data-root", root, "--output", output, *more]


def ended(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", POOLS)
def test_workers_of_an_engine_caption_into_a_store(
    name: str, store: StoreServer, model: StubServer, tmp_path: Path
) -> None:
    if reason := names()[name]:
        pytest.skip(reason)
    near = tmp_path / "near"
    ended(words(model, str(tmp_path / "world"), str(near)))
    calls = model.answered()
    model.forget()

    output = store.path("recapd")
    with started(name, tmp_path) as engine:
        command = words(model, store.path("world"), output, *engine.flags)
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as run:
            while model.answered().total() < 0.6 * calls.total():
                assert run.poll() is None, "it ended before it was killed"
                time.sleep(0.05)
            for pid in [*family(run.pid), *family(engine.pool.pid)]:
                os.kill(pid, signal.SIGKILL)
    before = model.answered()
    assert before.total() > WORKERS * (SEGMENT_LINES + CONCURRENCY), "so losing all would be seen"
    left = [path for path, _ in files.walk(output) if "/segments/" in path]
    assert any(path.endswith(".jsonl") for path in left)

    with started(name, tmp_path) as engine:
        ended(words(model, store.path("world"), output, *engine.flags))
    again = Counter(model.answered()) - calls
    print(f"{calls.total()} calls; killed after {before.total()}; {again.total()} repeated")
    assert again.total() <= WORKERS * (SEGMENT_LINES + CONCURRENCY)
    assert set(model.answered()) == set(calls)
    assert digests(store.content("recapd")) == digests_of(near)
    assert not [path for path, _ in files.walk(output) if "/segments/" in path]
    ended([sys.executable, "-m", "pipelines", "verify", output])

"""Runs that cannot go on end with one error that says why, and in time."""

import inspect
import logging
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from pipelines import VERSION
from pipelines.runner import stall, watched_run, worker_pool
from pipelines.runner.watched_run import run_watched
from pipelines.runner.worker import BEAT, EXIT_SHORTAGE, EXIT_UNCONNECTED
from pipelines.runner.worker_pool import Worker, WorkerPool, socket_folder
from pipelines.storage.store_guard import guarded
from schemas.errors import BuildError, UsageError

CHECKOUT = Path(__file__).parents[3]


class Display:
    """A display that keeps what it is given."""

    def __init__(self) -> None:
        self.state = ""
        self.notes: list[str] = []

    def note(self, words: str) -> None:
        self.notes.append(words)


def for_ever() -> None:
    time.sleep(1000)


@pytest.fixture
def pool_of():
    """Makes a pool of one worker, a process of some words; also the pipe of its beats."""
    processes: list[subprocess.Popen[bytes]] = []

    def make(*words: str) -> tuple[WorkerPool, int]:
        reading, writing = os.pipe()
        processes.append(subprocess.Popen(words))
        return WorkerPool("", [Worker(processes[-1], reading)]), writing

    yield make
    for process in processes:
        process.kill()
        process.wait()


def run(work, pool=None) -> str:
    """The error of a run."""
    with pytest.raises(BuildError) as raised:
        run_watched(work, "/shards", pool, Display())
    return str(raised.value)


def test_a_thread_that_cannot_start_ends_the_run(monkeypatch) -> None:
    def fail(*_):
        raise RuntimeError("can't start new thread")

    def work() -> None:
        monkeypatch.setattr(threading, "_start_new_thread", fail)
        another = threading.Thread(target=for_ever)
        with suppress(RuntimeError):  # as libraries do, which then wait for it
            another.start()
        for_ever()

    assert run(work) == (
        "no further thread or process can be started: use fewer --workers, or raise the limit. "
        "Finished shards are kept: run the same command again to go on."
    )


class Stillborn(threading.Thread):
    """A thread without memory for its first step, for which `start` waits."""

    def _bootstrap_inner(self) -> None:
        raise MemoryError


def test_a_thread_that_dies_before_its_first_step_ends_the_run() -> None:
    def work() -> None:
        assert inspect.isbuiltin(sys.unraisablehook)  # a call of Python code takes memory
        Stillborn().start()

    assert run(work).startswith("out of memory: use fewer --workers")


def test_threads_are_tried_before_workers_are_used(monkeypatch, pool_of) -> None:
    monkeypatch.setattr(watched_run, "_THREADS", 10**9)
    usual, started = vars(threading)["_start_new_thread"], []

    def fail_later(*given):
        started.append(given)
        if len(started) > 20:
            raise RuntimeError("can't start new thread")
        return usual(*given)

    monkeypatch.setattr(threading, "_start_new_thread", fail_later)
    pool, _ = pool_of("sleep", "1000")
    assert "no further thread" in run(lambda: pytest.fail("it began"), pool)


@pytest.mark.parametrize("logged", [False, True])
def test_memory_that_a_thread_lacks_ends_the_run(logged) -> None:
    def fail() -> None:
        try:
            raise MemoryError
        except MemoryError:
            if not logged:
                raise
            logging.getLogger("grpc._server").exception("Exception calling application")

    def work() -> None:
        threading.Thread(target=fail).start()
        for_ever()

    assert run(work).startswith("out of memory: use fewer --workers")


def test_memory_that_a_worker_lacks_is_read_in_its_words() -> None:
    def work() -> None:
        raise RuntimeError("Traceback ...\n  File ...\nMemoryError\n [while running 'Write/Map']")

    assert run(work).startswith("out of memory: use fewer --workers")


def test_an_output_that_another_run_took_over_ends_the_run() -> None:
    taken = threading.Event()

    def guard() -> None:
        if taken.is_set():
            raise BuildError("another run has taken it over")

    def work() -> None:
        taken.set()
        for_ever()

    with guarded("bucket://lake/out", guard):
        assert run(work) == "another run has taken it over"


@pytest.mark.parametrize("newline", ["\n", "\\n"])
def test_an_error_of_ours_in_a_worker_is_said_in_its_words(newline) -> None:
    lines = ["Job failed", "Traceback ...", "schemas.errors.BuildError: http://gpu: no [while "]
    lines[-1] += "running 'ParDo(_CaptionShard)']"

    def work() -> None:
        raise RuntimeError(newline.join(lines))

    assert run(work) == "http://gpu: no"


@pytest.mark.parametrize("newline", ["\n", "\\n"])
@pytest.mark.parametrize(
    ("module", "lacks"),
    [
        ("transforms.stage", f"RegionForge {VERSION} (no module transforms)"),
        ("s3fs", "s3fs"),
    ],
)
def test_what_a_pool_lacks_is_named_with_its_environment(module, lacks, newline) -> None:
    lines = ["Pipeline 7 failed in state FAILED: Traceback"]
    lines += ['  File "/engine/site-packages/apache_beam/runners/runner.py", line 1, in run']
    lines += ['  File "/pool/site-packages/apache_beam/internal/pickler.py", line 2, in loads']
    lines += [f"ModuleNotFoundError: No module named '{module}'", "", "and the rest of a trace"]
    lines += ['  File "/engine/site-packages/apache_beam/runners/runner.py", line 1, in run']

    def work() -> None:
        raise RuntimeError(newline.join(lines))

    words = run(work)
    assert words.startswith(
        f"the `python` of a worker lacks {lacks} in /pool/site-packages, where its Beam is. "
        f"Install RegionForge {VERSION} there"
    )
    assert words.endswith("run the same command again.")


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (EXIT_SHORTAGE, "no memory or no further thread was to be had; use fewer --workers"),
        (EXIT_UNCONNECTED, "it could not connect to this process through localhost"),
        (1, "if it was killed for want of memory, use fewer --workers"),
    ],
)
def test_a_dead_worker_says_why(pool_of, status, words) -> None:
    pool, _ = pool_of(sys.executable, "-c", f"raise SystemExit({status})")

    def fail() -> None:
        raise RuntimeError("Worker subprocess exited with return code 1")

    def work() -> None:
        threading.Thread(target=fail, name="run_worker").start()
        for_ever()

    assert f"a worker process died: {words}" in run(work, pool)


@pytest.mark.parametrize("beats", [False, True])
def test_a_run_that_does_not_move_ends(monkeypatch, pool_of, beats) -> None:
    monkeypatch.setattr(stall, "WARN_SECONDS", 0.5)
    monkeypatch.setattr(stall, "END_SECONDS", 2.0)
    monkeypatch.setattr(stall, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(stall, "_SILENT_SECONDS", 0.4)
    monkeypatch.setattr(stall, "_LAUNCHER_SHARE", 2.0)  # other tests' threads may be busy
    pool, pulse = pool_of("sleep", "1000")
    over = threading.Event()
    display = Display()

    def beat() -> None:
        while not over.wait(0.05):
            os.write(pulse, BEAT.pack(1.0))

    if beats:
        threading.Thread(target=beat, daemon=True).start()
    with pytest.raises(BuildError) as raised:
        run_watched(for_ever, "/shards", pool, display)
    over.set()
    known = "all processes wait" if beats else "of 1 worker processes, 1 give no sign of life"
    assert known in str(raised.value)
    assert "nothing has moved for 2 s" in str(raised.value)
    (warning,) = display.notes
    assert known in warning


def test_a_worker_that_works_is_waited_for(monkeypatch, pool_of) -> None:
    monkeypatch.setattr(stall, "END_SECONDS", 2.0)
    monkeypatch.setattr(stall, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(stall, "_LAUNCHER_SHARE", 2.0)
    pool, pulse = pool_of("sleep", "1000")

    def work() -> None:
        for tick in range(30):
            os.write(pulse, BEAT.pack(tick / 10))
            time.sleep(0.1)

    run_watched(work, "/shards", pool, Display())


def test_a_run_without_workers_that_does_not_move_ends(monkeypatch) -> None:
    monkeypatch.setattr(stall, "WARN_SECONDS", 0.3)
    monkeypatch.setattr(stall, "END_SECONDS", 1.0)
    monkeypatch.setattr(stall, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(stall, "_LAUNCHER_SHARE", 2.0)
    display = Display()
    with pytest.raises(BuildError, match="nothing has moved for 1 s: all threads wait"):
        run_watched(for_ever, "/shards", None, display)
    assert len(display.notes) == 1


def test_progress_is_movement(monkeypatch) -> None:
    monkeypatch.setattr(stall, "END_SECONDS", 2.0)
    monkeypatch.setattr(stall, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(stall, "_LAUNCHER_SHARE", 2.0)
    display = Display()

    def work() -> None:
        for number in range(30):
            display.state = f"read {number}"
            time.sleep(0.1)

    run_watched(work, "/shards", None, display)
    assert display.notes == []


def test_a_run_on_other_machines_is_waited_for(monkeypatch) -> None:
    monkeypatch.setattr(stall, "END_SECONDS", 0.2)
    monkeypatch.setattr(stall, "_LOOK_SECONDS", 0.1)
    monkeypatch.setattr(stall, "_LAUNCHER_SHARE", 2.0)
    run_watched(lambda: time.sleep(1), "/shards", None, None)


def test_a_worker_that_cannot_connect_ends(tmp_path) -> None:
    script = "from pipelines.runner import worker\nworker.CONNECT_SECONDS = 0.3\nworker._work()\n"
    orders = {"CONTROL_API_SERVICE_DESCRIPTOR": 'url: "localhost:1"', "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=os.environ | orders, cwd=tmp_path, timeout=100, check=False)
    assert done.returncode == EXIT_UNCONNECTED


def test_a_long_path_of_temporary_files(monkeypatch, tmp_path) -> None:
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    assert socket_folder() == "/tmp"
    monkeypatch.setattr(worker_pool, "_SHORT", str(long))
    with pytest.raises(UsageError, match=r"too long a path for the socket of workers: set TMPDIR"):
        socket_folder()

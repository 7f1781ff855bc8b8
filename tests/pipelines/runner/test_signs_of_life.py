"""Workers of other engines give signs of life, and their silence ends a run in a line."""

import queue
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner

from pipelines.recap.flow import _SketchShard
from pipelines.runner import signs_of_life
from pipelines.runner.signs_of_life import Pulse, Watch, versions, watch_for
from schemas.errors import BuildError, RegionForgeError, UsageError
from schemas.layout import WORKER_FOLDER
from transforms.stage import StageDoFn, WatchedDoFn

PULSE = "import sys, time; from pipelines.runner.signs_of_life import Pulse; Pulse(sys.argv[1])()"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Seconds that tests have."""
    monkeypatch.setattr(signs_of_life, "_BEAT_SECONDS", 0.02)
    monkeypatch.setattr(signs_of_life, "_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(signs_of_life, "SILENT_SECONDS", 0.4)


def eventually(happened: Callable[[], object]) -> None:
    until = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.01)


def signs_in(output: Path) -> list[Path]:
    return list((output / WORKER_FOLDER).glob("*.txt"))


def run_of(output: Path) -> Path:
    (path,) = (output / WORKER_FOLDER).glob("*.run")
    return path


def write_sign(output: Path) -> None:
    path = run_of(output)
    path.with_name(f"{path.stem}-host-1.txt").write_bytes(b"0")


def test_a_living_worker_keeps_a_run_alive_and_its_files_go_with_the_run(tmp_path):
    ended: queue.SimpleQueue[RegionForgeError] = queue.SimpleQueue()
    watch = Watch(str(tmp_path), start_soon=True)
    with watch.running(ended.put):
        watch.begin()
        pulse = Pulse(str(run_of(tmp_path)))
        pulse()
        pulse()  # a second stage in the same process
        eventually(lambda: signs_in(tmp_path))
        time.sleep(0.8)
    assert ended.empty()
    assert not list((tmp_path / WORKER_FOLDER).glob("*.run"))


def test_silence_after_a_sign_ends_the_run(tmp_path):
    ended: queue.SimpleQueue[RegionForgeError] = queue.SimpleQueue()
    watch = Watch(str(tmp_path), start_soon=False)
    with watch.running(ended.put):
        write_sign(tmp_path)
        watch.begin()
        error = ended.get(timeout=20)
    assert isinstance(error, BuildError)
    assert str(error).startswith("no worker has given a sign of life for 0 s: the last of 1 died")


def test_no_sign_at_all_is_a_fault_where_workers_wait_already(tmp_path):
    ended: queue.SimpleQueue[RegionForgeError] = queue.SimpleQueue()
    watch = Watch(str(tmp_path), start_soon=True)
    with watch.running(ended.put):
        time.sleep(0.8)
        assert ended.empty(), "the engine has no job yet"
        watch.begin()
        words = str(ended.get(timeout=20))
    assert "the `python` of its pool lacks Python 3." in words
    assert str(tmp_path) in words


def test_an_engine_that_starts_machines_may_take_its_time(tmp_path):
    ended: queue.SimpleQueue[RegionForgeError] = queue.SimpleQueue()
    watch = Watch(str(tmp_path), start_soon=False)
    with watch.running(ended.put):
        watch.begin()
        time.sleep(0.8)
    assert ended.empty()


@pytest.mark.parametrize(
    ("looks", "ending"),
    [
        ([5] * 30, 24),
        ([29] * 9, 4),  # a busy machine, on which looks come late
        ([5, 200, *[5] * 30], 19),  # a launcher that was stopped, and maybe its workers with it
    ],
)
def test_silence_is_counted_in_the_seconds_in_which_the_launcher_runs(
    tmp_path, monkeypatch, looks, ending
):
    now = 0.0
    monkeypatch.setattr(signs_of_life, "SILENT_SECONDS", 120)
    monkeypatch.setattr(signs_of_life, "time", SimpleNamespace(monotonic=lambda: now))
    (tmp_path / WORKER_FOLDER).mkdir(parents=True)
    watch = Watch(str(tmp_path), start_soon=True)
    for _ in range(3):  # before the engine has the job
        now += 100
        watch.check()
    watch.begin()
    for number, seconds in enumerate(looks):
        now += seconds
        if number == ending:
            with pytest.raises(BuildError):
                watch.check()
            return
        watch.check()


def test_a_store_that_does_not_answer_says_nothing_of_the_workers(tmp_path, monkeypatch):
    now = 0.0
    monkeypatch.setattr(signs_of_life, "time", SimpleNamespace(monotonic=lambda: now))
    watch = Watch(str(tmp_path / "unreached"), start_soon=True)
    watch.begin()
    for _ in range(100):
        now += 5
        watch.check()


@pytest.mark.parametrize("changed", [{"python": "2.7"}, {"beam": "2.1.0"}, {"regionforge": "0"}])
def test_a_worker_of_other_versions_refuses_to_work(tmp_path, monkeypatch, changed):
    pulse = Pulse(str(tmp_path / "0a1b2c3d.run"))
    pulse()
    other = versions()._replace(**changed)
    monkeypatch.setattr(signs_of_life, "versions", lambda: other)
    with pytest.raises(UsageError, match=r"^a worker runs Python .*, and the launcher Python"):
        pulse()


def test_signs_of_earlier_runs_say_nothing(tmp_path):
    folder = tmp_path / WORKER_FOLDER
    folder.mkdir(parents=True)
    old = [folder / "0a1b2c3d.run", folder / "0a1b2c3d-host-1.txt", folder / ".tmp-half"]
    for path in old:
        path.write_bytes(b"{}")
    watch = Watch(str(tmp_path), start_soon=True)
    with watch.running(lambda _: None):
        assert not any(path.exists() for path in old)
        (folder / "0a1b2c3d-host-1.txt").write_bytes(b"{")  # by a worker that lives on
        watch.check()


def test_a_worker_ends_itself_once_another_run_has_begun(tmp_path):
    run = tmp_path / WORKER_FOLDER / "0a1b2c3d.run"
    run.parent.mkdir(parents=True)
    run.write_bytes(b"")
    program = f"{PULSE}; print('up', flush=True); time.sleep(60)"
    words = [sys.executable, "-c", program, str(run)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout
        assert worker.stdout.readline() == "up\n"
        eventually(lambda: signs_in(tmp_path))
        (run.parent / "ffffffff.run").write_bytes(b"")
        run.unlink()
        assert worker.wait(timeout=30) == 1


class _Step(WatchedDoFn):
    def process(self, element: int) -> Iterator[int]:
        yield element


def test_steps_give_signs_where_they_run(tmp_path):
    pipeline = beam.Pipeline(FnApiRunner())
    _ = pipeline | beam.Create([1]) | beam.ParDo(_Step()).with_outputs("odd", main="main")
    watch = Watch(str(tmp_path), start_soon=True)
    watch.fit(pipeline)
    with watch.running(lambda _: None):
        pipeline.run()
        eventually(lambda: signs_in(tmp_path))


def test_the_long_steps_of_a_run_can_give_signs():
    assert issubclass(StageDoFn, WatchedDoFn)
    assert issubclass(_SketchShard, WatchedDoFn)


def test_workers_are_watched_where_nobody_else_does(tmp_path):
    def watched(runner: str, *flags: str) -> bool:
        return watch_for(runner, flags, str(tmp_path)) is not None

    assert watched("PortableRunner", "--environment_type=EXTERNAL")
    assert watched("FlinkRunner")
    assert not watched("PortableRunner", "--environment_type=LOOPBACK")
    assert not watched("local")
    assert not watched("DataflowRunner")

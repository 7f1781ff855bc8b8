"""Builds that are killed: a rerun ends with the same bytes, and no process hangs or stays."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="processes are watched through /proc"
)

SHARD_SIZE = 4 * 1024  # far more shards than pictures, so that writing takes a while
STARTING_MAY_TAKE = 60  # seconds until there is something to kill
WORKERS_MAY_TAKE = 30  # seconds to notice that one of them died
STRAGGLERS_MAY_TAKE = 10  # seconds to end once the launcher has

PROGRAM = """
import os, tempfile
from pipelines.cli.parser import main

os.setsid()
tempfile.tempdir = None  # it may have been looked up while modules were imported
main()
"""


def arguments(world: Path, output: Path) -> list[str]:
    where = ["--data-root", str(world), "--output", str(output), "--shard-size", f"{SHARD_SIZE}B"]
    return ["build", "--sources", "coco", "--label-set", "Shapes-15", *where]


def from_shell(words: list[str], env: dict[str, str]) -> subprocess.Popen[str]:
    """A command in a session of its own that imports all that it needs."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines", *words],
        start_new_session=True,
        env=os.environ | env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


class Session:
    """A command that was forked, with what tests use of `subprocess.Popen`."""

    returncode: int | None = None

    def __init__(self, forked, words: list[str], env: dict[str, str]) -> None:
        self.args = words
        self._forked = forked(*words, program=PROGRAM, **env)
        self.pid: int = self._forked.pid

    def poll(self) -> int | None:
        """The exit status, once it has ended."""
        if self.returncode is None:
            stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8")
            if stat.rpartition(")")[2].split()[0] == "Z":
                self._ended = self._forked.wait()
                self.returncode = self._ended.returncode
        return self.returncode

    def communicate(self, timeout: float = STARTING_MAY_TAKE) -> tuple[str, str]:
        """Wait for its end; return what it printed and its errors."""
        end = time.monotonic() + timeout
        while self.poll() is None:
            assert time.monotonic() < end, f"it still runs after {timeout} seconds"
            time.sleep(0.01)
        return self._ended.stdout, self._ended.stderr

    def wait(self) -> int | None:
        """Wait for its end; return the exit status."""
        self.communicate()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


@pytest.fixture(scope="module")
def started(forked):
    """Starts a build in a session of its own, of which nothing is left afterwards."""

    @contextmanager
    def start(world: Path, output: Path, workers: int = 1, shell: bool = False, **env: str):
        words = [*arguments(world, output), "--workers", str(workers)]
        process = from_shell(words, env) if shell else Session(forked, words, env)
        try:
            yield process
        finally:
            for pid in members(process.pid):
                os.kill(pid, signal.SIGKILL)
            process.communicate()

    return start


def members(session: int) -> dict[int, str]:
    """The command lines of the living processes of a session."""
    commands = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, sid = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(sid) == session and state != "Z":
                commands[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except (OSError, ValueError):  # it has just ended
            continue
    return commands


def worker_of(process) -> int:
    """A worker process of a build."""
    others = {pid: line for pid, line in members(process.pid).items() if pid != process.pid}
    return next(pid for pid, line in others.items() if "pipelines" in line and "relay" not in line)


def shards(output: Path) -> int:
    return sum(1 for _ in output.glob("coco/*.arrow"))


def wait_until_finished(process, output: Path, goal: int) -> None:
    """Wait until a running build has so many shards, and its workers if it has any."""
    workers = "--workers 2" in " ".join(process.args)
    end = time.monotonic() + STARTING_MAY_TAKE
    while shards(output) < goal or (workers and len(members(process.pid)) < 3):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, members(process.pid)
        time.sleep(0.01)  # what looks more often takes the build's processor


def wait_until_gone(session: int) -> None:
    end = time.monotonic() + STRAGGLERS_MAY_TAKE
    while left := members(session):
        assert time.monotonic() < end, left
        time.sleep(0.05)


@pytest.fixture(scope="module")
def built(sample_world, run_build):
    labels = {"label_set": "Shapes-15", "year": 2017}
    return run_build(sample_world, request=labels, shard_bytes=SHARD_SIZE)


def check_that_nothing_was_lost(built, output):
    assert output.digests() == built.digests()
    assert output.manifest() == built.manifest()
    assert output.ledger() == built.ledger()
    assert [path for path in output.folder.rglob("*") if ".tmp-" in path.name] == []


def test_a_build_killed_again_and_again(
    started, sample_world, built, command_line, output_of, tmp_path
):
    chance, kept = random.Random(), 0
    for _ in range(4):
        goal = kept + chance.randrange(len(built.digests()) // 10)
        with started(sample_world, tmp_path) as process:
            wait_until_finished(process, tmp_path, goal)
            time.sleep(chance.random() / 50)
            process.kill()
            assert process.wait() == -signal.SIGKILL
        assert output_of(tmp_path).digests().items() <= built.digests().items()
        assert shards(tmp_path) >= kept
        kept = shards(tmp_path)
        assert not (tmp_path / "manifest.json").exists()
    done = command_line(*arguments(sample_world, tmp_path))
    assert done.returncode == 0, done.stderr
    check_that_nothing_was_lost(built, output_of(tmp_path))


@pytest.mark.parametrize("finished", [0, 5])
def test_a_worker_that_dies_ends_the_build(
    started, sample_world, built, new_process, output_of, tmp_path, finished
):
    with started(sample_world, tmp_path, workers=2) as process:
        wait_until_finished(process, tmp_path, finished)
        os.kill(worker_of(process), signal.SIGKILL)
        _, said = process.communicate(timeout=WORKERS_MAY_TAKE)
        assert process.returncode == 1
        assert "error: a worker process died" in said
        assert "run the same command again" in said
        assert "Traceback" not in said
        wait_until_gone(process.pid)
    assert not (tmp_path / "manifest.json").exists()
    done = new_process(*arguments(sample_world, tmp_path), "--workers", 2)
    assert done.returncode == 0, done.stderr
    check_that_nothing_was_lost(built, output_of(tmp_path))


@pytest.mark.parametrize("finished", [0, 5])
def test_no_worker_outlives_a_killed_launcher(started, sample_world, tmp_path, finished):
    with started(sample_world, tmp_path, workers=2) as process:
        wait_until_finished(process, tmp_path, finished)
        process.kill()
        process.wait()
        wait_until_gone(process.pid)


@pytest.mark.parametrize(
    ("workers", "number", "status", "words"),
    [
        (1, signal.SIGTERM, 143, "ended by SIGTERM"),
        (2, signal.SIGTERM, 143, "ended by SIGTERM"),
        (2, signal.SIGINT, 130, "interrupted"),
    ],
)
def test_a_build_ended_by_a_signal_says_how_to_go_on(
    started, sample_world, built, command_line, output_of, tmp_path, workers, number, status, words
):
    temporary, output = tmp_path / "temporary", tmp_path / "output"
    temporary.mkdir()
    shell = number == signal.SIGINT
    with started(sample_world, output, workers, shell, TMPDIR=str(temporary)) as process:
        wait_until_finished(process, output, 5)
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does
        else:
            process.send_signal(number)  # as `kill` and schedulers do
        _, said = process.communicate(timeout=WORKERS_MAY_TAKE)
        assert process.returncode == status
        assert f"{words}; what is finished is kept: run it again to go on" in said
        assert "Traceback" not in said
        wait_until_gone(process.pid)
    assert list(temporary.iterdir()) == []
    done = command_line(*arguments(sample_world, output))
    assert done.returncode == 0, done.stderr
    check_that_nothing_was_lost(built, output_of(output))


def test_there_is_enough_to_interrupt(built):
    assert len(built.digests()) > 100

"""How a command ends as a process: by a signal, an error, or with streams that nobody reads."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[2]
MAY_TAKE = 60  # seconds
BEGIN = """
import sys, threading, time
from schemas.process import run_process

def wait_forever():
    threading.Thread(target=time.sleep, args=(1000,)).start()

class SlowToSend:
    def __reduce__(self):
        time.sleep(0.2)
        return str, ()

def work():
    {}

run_process(work)
"""
PRINTS = 'print("line\\n" * 100_000, flush=True); open("done", "w").close(); return 0'


def started(work: str, folder: Path, **streams: Any) -> "subprocess.Popen[str]":
    pipe = subprocess.PIPE
    process: subprocess.Popen[str] = subprocess.Popen(
        [sys.executable, "-c", BEGIN.format(work)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        text=True,
        **{"stdout": pipe, "stderr": pipe, **streams},
    )
    return process


def ended(work: str, folder: Path, **streams: Any) -> tuple[int, str]:
    """The exit status of a command, and what it has written to standard error."""
    process = started(work, folder, **streams)
    _, console = process.communicate(timeout=MAY_TAKE)
    return process.returncode, console


def test_a_reader_that_goes_away_changes_nothing(tmp_path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        assert ended(PRINTS, tmp_path, stdout=pipe) == (0, "")
    assert (tmp_path / "done").exists(), "it went on"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_what_cannot_be_written_is_an_error_at_the_end(tmp_path) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        status, console = ended(PRINTS, tmp_path, stdout=full)
        silent, _ = ended(PRINTS, tmp_path, stdout=full, stderr=full)
    assert (status, silent) == (1, 1)
    assert console == "error: standard output cannot be written: No space left on device\n"
    assert (tmp_path / "done").exists(), "it went on"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_an_encoding_has_not_is_an_escape(tmp_path, monkeypatch, encoding) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    path = tmp_path / "shown"
    with path.open("wb") as shown:
        assert ended('print("1 \\u2192 16")', tmp_path, stdout=shown) == (0, "")
    assert path.read_bytes() == b"1 \\u2192 16\n"


@pytest.mark.parametrize("numbers", [(1,), (2,), (0, 1, 2)])
def test_closed_streams_are_nobodys(tmp_path, numbers) -> None:
    work = 'file = open("done", "w"); print("x"); print("y", file=sys.stderr); print(file.fileno())'

    def close() -> None:
        for number in numbers:
            os.close(number)

    process = started(f"{work}; return 0", tmp_path, preexec_fn=close)
    _, console = process.communicate(timeout=MAY_TAKE)
    assert process.returncode == 0
    assert "Traceback" not in console
    assert (tmp_path / "done").read_text() == "", "what is printed goes into no other file"


@pytest.mark.parametrize(
    ("work", "line"),
    [
        ("raise KeyError('a fault of ours')", "KeyError: 'a fault of ours'"),
        ("raise MemoryError", "error: out of memory; the last attempt: MemoryError"),
        ("sys.exit('why')", ""),
        ("return 1", ""),
    ],
)
def test_a_thread_that_is_left_holds_up_no_failure(tmp_path, work, line) -> None:
    status, console = ended(f"wait_forever(); {work}", tmp_path)
    assert status == 1
    assert (console.splitlines() or [""])[-1] == line


def test_a_queue_that_still_sends_is_no_leak(tmp_path) -> None:
    queue = 'queue = __import__("multiprocessing").get_context("spawn").Queue()'
    work = f"{queue}; queue.cancel_join_thread(); queue.put(SlowToSend()); return 143"
    assert ended(work, tmp_path) == (143, "")


def test_sigterm_ends_a_command_with_its_status(tmp_path) -> None:
    process = started('wait_forever(); open("there", "w").close()\n    time.sleep(1000)', tmp_path)
    until = time.monotonic() + MAY_TAKE
    while not (tmp_path / "there").exists() and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, console = process.communicate(timeout=MAY_TAKE)
    assert process.returncode == 143
    assert console == "ended by SIGTERM\n"


def test_the_end_searches_for_no_rubbish(tmp_path) -> None:
    rubbish = (
        "ring = type('Ring', (list,), {'__del__': lambda _: print('searched')})(); "
        "ring.append(ring); return 0"
    )
    process = started(rubbish, tmp_path)
    printed, console = process.communicate(timeout=MAY_TAKE)
    assert (process.returncode, printed, console) == (0, "", "")

"""Processes of a pool end with the run that started them, whichever way it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="processes are watched through /proc"
)

CHECKOUT = Path(__file__).parents[3]
MAY_TAKE = 60  # seconds
# Each process writes its id, and waits.
SCRIPT = """
import os, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from pipelines.runner.pool_processes import ended_children, follow_parent
from schemas.process import run_process

def wait(name):
    Path(name).write_text(str(os.getpid()))
    time.sleep(1000)

def work():
    spawn = get_context("spawn")
    with ProcessPoolExecutor(2, spawn, follow_parent, (os.getpid(),)) as pool, ended_children():
        list(pool.map(wait, ["first", "second"]))

if __name__ == "__main__":
    run_process(work)
"""


def alive(number: int) -> bool:
    try:
        state = (
            Path(f"/proc/{number}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
        )
    except OSError:
        return False
    return state != "Z"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_run(tmp_path, number) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    files = [tmp_path / "first", tmp_path / "second"]
    process = subprocess.Popen(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until = time.monotonic() + MAY_TAKE
    while not all(file.exists() and file.read_text() for file in files):
        assert time.monotonic() < until
        time.sleep(0.05)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    _, console = process.communicate(timeout=MAY_TAKE)
    statuses = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGKILL: -signal.SIGKILL}
    assert process.returncode == statuses[number]
    assert "Traceback" not in console
    while any(alive(int(file.read_text())) for file in files):
        assert time.monotonic() < until + MAY_TAKE
        time.sleep(0.05)

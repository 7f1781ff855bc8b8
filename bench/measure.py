"""Measures of a command: its time, and the memory of each of its processes."""

import os
import resource
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

POLL_SECONDS = 0.25  # the kernel keeps peaks, so only a process's last moments are missed


@dataclass(frozen=True, slots=True)
class Run:
    """The measures and the output of a run of a command."""

    seconds: float
    cpu_seconds: float  # of all processes; more reliable than `seconds` on a busy machine
    peak_bytes: tuple[int, ...]  # of each process, largest first; empty where /proc is missing
    output: str


def run_into(output: Path, command: list[str], log: Path) -> Run:
    """Run a command that writes into a folder, after removing the folder."""
    shutil.rmtree(output, ignore_errors=True)
    os.sync()
    return run(command, log)


def run(command: list[str], log: Path) -> Run:
    """Run a command to its end and return its measures; raise `RuntimeError` if it fails."""
    started, busy = time.time(), _cpu_seconds()
    with log.open("w", encoding="utf-8") as out:
        environment = {**os.environ, "BENCH_STARTED": str(started), "HF_HUB_OFFLINE": "1"}
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
        with Watch(process.pid) as watch:
            process.wait()
            seconds = time.time() - started
    output = log.read_text(encoding="utf-8", errors="replace")
    if process.returncode:
        raise RuntimeError(f"{command} failed:\n{output[-2000:]}")
    peaks = sorted(filter(None, watch.peaks.values()), reverse=True)
    return Run(seconds, _cpu_seconds() - busy, tuple(peaks), output)


def _cpu_seconds() -> float:
    """Return the processor seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Watch:
    """A thread that polls the peak memory of a process and its descendants."""

    def __init__(self, pid: int) -> None:
        self.peaks: dict[int, int] = {}
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the thread."""
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(POLL_SECONDS):
            for pid in family(self._pid):
                self.peaks[pid] = max(self.peaks.get(pid, 0), _peak(pid))


def family(pid: int) -> list[int]:
    """Return a process and its descendants."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        threads = [int(name) for name in os.listdir(f"/proc/{pid}/task")]
        for thread in threads:
            path = Path(f"/proc/{pid}/task/{thread}/children")
            children += path.read_text(encoding="ascii").split() if thread != pid else []
    except OSError:
        return [pid]
    return [pid, *(member for child in children for member in family(int(child)))]


def _peak(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0

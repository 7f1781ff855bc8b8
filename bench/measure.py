"""Time a command and watch the memory of every process it starts."""

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a command."""

    seconds: float
    peak_bytes: tuple[int, ...]  # of each process, largest first; empty where /proc is missing
    output: str


def run(command: list[str], log: Path) -> Run:
    """Run a command to its end; raise if it fails."""
    peaks: dict[int, int] = {}
    started = time.time()
    with log.open("w", encoding="utf-8") as out:
        environment = {**os.environ, "BENCH_STARTED": str(started), "HF_HUB_OFFLINE": "1"}
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
        while process.poll() is None:
            for pid in _family(process.pid):
                peaks[pid] = max(peaks.get(pid, 0), _peak(pid))
            time.sleep(POLL_SECONDS)
    seconds = time.time() - started
    output = log.read_text(encoding="utf-8", errors="replace")
    if process.returncode:
        raise RuntimeError(f"{command} failed:\n{output[-2000:]}")
    return Run(seconds, tuple(sorted(filter(None, peaks.values()), reverse=True)), output)


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        threads = [int(name) for name in os.listdir(f"/proc/{pid}/task")]
        for thread in threads:
            path = Path(f"/proc/{pid}/task/{thread}/children")
            children += path.read_text(encoding="ascii").split() if thread != pid else []
    except OSError:
        return [pid]
    return [pid, *(found for child in children for found in _family(int(child)))]


def _peak(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0

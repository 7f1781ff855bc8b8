"""Processes that are forked from one with PyTorch imported, which takes most of a short run's time.

Each is as one that a shell started: its signals, its working folder, its output and its exit status
are its own.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.forks import Forks, Order

PATIENCE = 120.0  # seconds for a line, on a machine that has other work
NEEDED = ("train.launch", "train.start", "train.run", "train.serve.opening", "train.checkpoint")


class Forked:
    """A call in such a process, whose standard output and errors go to one file."""

    def __init__(self, output: Path, call: Callable[..., object], *given: object, **env: str):
        self._output = output
        order = Order(
            call=f"{call.__module__}:{call.__name__}",
            given=given,
            folder=os.getcwd(),
            environment=os.environ | env,
            needed=NEEDED,
        )
        with open(os.devnull, "rb") as nothing, output.open("ab") as shown:
            streams = [file.fileno() for file in (nothing, shown, shown)]
            self._process = Forks.of_tests.start(order, streams)

    def shown(self) -> str:
        """What was printed until now."""
        return self._output.read_text(encoding="utf-8", errors="replace")

    def line(self) -> str:
        """Wait for the first line that is printed, and return it."""
        end = time.monotonic() + PATIENCE
        while "\n" not in (shown := self.shown()):
            assert time.monotonic() < end, shown
            assert self.runs(), shown
            time.sleep(0.02)
        return shown.splitlines()[0]

    def runs(self) -> bool:
        """Whether it runs still."""
        return self._process.wait(0) is None

    def signal(self, number: int) -> None:
        """Send a signal to it, if it runs still."""
        if self.runs():
            os.kill(self._process.pid, number)

    def ended(self, seconds: float = 60.0) -> int:
        """Wait for the end; return the exit status, which is -N after the signal N."""
        status = self._process.wait(seconds)
        assert status is not None, f"it still runs after {seconds} seconds: {self.shown()}"
        return status

    def kill(self) -> None:
        """End it at once, if it runs still."""
        self.signal(signal.SIGKILL)
        self._process.wait()


def command(output: Path, *words: object, **env: str) -> Forked:
    """Start a command of `regionforge`."""
    return Forked(output, _run_command, list(map(str, words)), **env)


def _run_command(words: list[str]) -> None:
    from regionforge.__main__ import main  # only in that process

    main(words)

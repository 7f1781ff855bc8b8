"""Processes that are forked from one with PyTorch imported, which takes most of a short run's time.

Each is as one that a shell started: its signals, its working folder, its output and its exit status
are its own.
"""

import os
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

PRELOADED = ("train.launch", "train.start", "train.run", "train.serve.opening", "train.checkpoint")
PATIENCE = 120.0  # seconds for a line, on a machine that has other work

_FORKS = get_context("forkserver")
_FORKS.set_forkserver_preload(list(PRELOADED))


class Forked:
    """A call in such a process, whose standard output and errors go to one file."""

    def __init__(self, output: Path, call: Callable[..., object], *given: object, **env: str):
        self._output = output
        output.touch()
        self._process = _FORKS.Process(target=_begin, args=(str(output), env, call, *given))
        self._process.start()

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
        return self._process.is_alive()

    def signal(self, number: int) -> None:
        """Send a signal to it, if it runs still."""
        if self.runs() and self._process.pid:
            os.kill(self._process.pid, number)

    def ended(self, seconds: float = 60.0) -> int:
        """Wait for the end; return the exit status, which is -N after the signal N."""
        self._process.join(seconds)
        status = self._process.exitcode
        assert status is not None, f"it still runs after {seconds} seconds: {self.shown()}"
        return status

    def kill(self) -> None:
        """End it at once, if it runs still."""
        self._process.kill()
        self._process.join()


def command(output: Path, *words: object, **env: str) -> Forked:
    """Start a command of `regionforge`."""
    return Forked(output, _run_command, list(map(str, words)), **env)


def _run_command(words: list[str]) -> None:
    from regionforge.__main__ import main  # only in that process

    main(words)


def _begin(output: str, env: dict[str, str], call: Callable[..., object], *given: object) -> None:
    os.environ.update(env)
    for number, path in enumerate((os.devnull, output, output)):
        opened = os.open(path, os.O_RDWR | os.O_APPEND)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process
    call(*given)

"""A watch on a run of this machine: whether anything moves, and since when nothing has.

A worker that is stopped, or waits for an answer that never comes, uses no processor time, and the
launcher waits with it. What waits for slow storage still uses a little, or moves its progress on.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from pipelines.runner.worker_pool import Worker, WorkerPool
from pipelines.storage.watching import watching
from schemas.errors import BuildError

WARN_SECONDS = 60.0  # without any movement, before a line says so
END_SECONDS = 300.0  # before the run ends
_LOOK_SECONDS = 1.0
_SILENT_SECONDS = 10.0  # without a word of a worker, which sends one each second
# Shares of a processor below which a process only waits: the launcher also shows its progress.
_LAUNCHER_SHARE, _WORKERS_SHARE = 0.05, 0.01


class Display(Protocol):
    """The display of a run's progress."""

    @property
    def state(self) -> str:
        """What is shown of the work, which changes with it."""

    def note(self, words: str) -> None:
        """Print a line beside that of progress."""


class _Movement:
    """The processor times of a run's processes and its progress, and when they last grew."""

    def __init__(self, workers: Sequence[Worker], progress: Callable[[], str]) -> None:
        self._workers, self._progress = workers, progress
        self._shown = progress()
        self._looked = self.moved = time.monotonic()
        self._launcher, self._of_workers = time.process_time(), 0.0

    def look(self) -> None:
        """Compare the processor times and the progress with those before."""
        for worker in self._workers:
            worker.listen()
        now, launcher = time.monotonic(), time.process_time()
        of_workers = sum(worker.seconds for worker in self._workers)
        since, shown = now - self._looked, self._progress()
        if (
            shown != self._shown
            or launcher - self._launcher > since * _LAUNCHER_SHARE
            or of_workers - self._of_workers > since * _WORKERS_SHARE
            or since > _SILENT_SECONDS  # the launcher itself was stopped
        ):
            self.moved = now
        self._looked, self._launcher, self._of_workers = now, launcher, of_workers
        self._shown = shown

    def idle_seconds(self) -> float:
        """Return for how long nothing has moved."""
        return self._looked - self.moved

    def cause(self) -> str:
        """Return what is known of the reason, in words."""
        silent = sum(self._looked - worker.heard > _SILENT_SECONDS for worker in self._workers)
        if silent:
            number = len(self._workers)
            return f"of {number} worker processes, {silent} give no sign of life (stopped?)."
        waiting = "processes" if self._workers else "threads"
        return f"all {waiting} wait, perhaps for a disk or a network that does not answer."


@contextmanager
def watched_movement(
    pool: WorkerPool | None, display: Display | None, end: Callable[[BuildError], None]
) -> Iterator[None]:
    """Watch a run while a block runs.

    Args:
        pool: the worker processes; None: there are none.
        display: the display of its progress, which says where nothing has moved for `WARN_SECONDS`;
            None: the run is on other machines, and nothing is watched.
        end: called with an error where nothing has moved for `END_SECONDS`.
    """
    if display is None:
        yield
        return
    workers = pool.workers if pool else ()
    movement = _Movement(workers, lambda: display.state)
    warned = False

    def is_over() -> bool:
        nonlocal warned
        movement.look()
        idle = movement.idle_seconds()
        if idle > END_SECONDS:
            end(
                BuildError(
                    f"nothing has moved for {idle:.0f} s: {movement.cause()} Finished shards "
                    "are kept: run the same command again to go on."
                )
            )
            return True
        if idle > WARN_SECONDS and not warned:
            display.note(
                f"nothing has moved for {idle:.0f} s: {movement.cause()} The run ends "
                f"after {END_SECONDS:.0f} s of this."
            )
        warned = idle > WARN_SECONDS
        return False

    with watching("watch", _LOOK_SECONDS, is_over):
        yield

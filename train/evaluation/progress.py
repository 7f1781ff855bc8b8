"""The progress of an evaluation, on the console."""

import time

from schemas.duration import duration
from train.seen import ProgressLine, memory

_GIB = 2**30


class Progress:
    """A line that says how far the run is, and how fast."""

    def __init__(self, total: int, done: int = 0) -> None:
        self._total, self._done, self._before = total, done, done
        self._began = time.monotonic()
        self._line = ProgressLine()

    def add(self, count: int) -> None:
        """Count questions that are answered now."""
        self._done += count
        pace = (self._done - self._before) / max(time.monotonic() - self._began, 1e-9)
        left = (self._total - self._done) / pace
        self._line.show(
            f"questions {self._done:,}/{self._total:,}  {pace:,.1f} questions/s  "
            f"{duration(left)} left  {memory() / _GIB:.1f} GiB",
            last=self._done == self._total,
        )

    def end(self) -> None:
        """Leave the line as it stands."""
        self._line.end()

"""The display of a build's progress: one live line on a terminal, else a line now and then."""

import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

from schemas.console import Console, line
from schemas.ledger import Stage
from transforms.progress import PACKED, parse_line

_LINE_SECONDS = 10.0
_LIVE_SECONDS = 0.5
QUIET_SECONDS = 3.0  # shorter work shows no line
_PROGRESS_LOGGERS = ("regionforge.progress", "apache_beam.runners.portability.local_job_service")


class Ticker:
    """A line of progress on the console: time so far, name of the work, and state of the work."""

    def __init__(self, what: str, *, patience: float = 0) -> None:
        """Prepare the line, without showing it.

        Args:
            what: name of the work, e.g. "looking at the inputs".
            patience: seconds after which the line appears; shorter work shows no line.
        """
        self._console = Console(stderr=True)
        self._patience = patience
        self._what = what
        self._state = ""
        self._started = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._refresh, daemon=True)

    @property
    def state(self) -> str:
        """The state of the work that the line shows."""
        return self._state

    def say(self, state: str) -> None:
        """Set the state of the work that the line shows."""
        self._state = state

    def note(self, words: str) -> None:
        """Print a line beside that of progress."""
        self._console.print(words)

    def line(self) -> str:
        """Return the line, e.g. `0:12  images: read 500`."""
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        return f"{minutes:d}:{seconds:02d}  {self._what} {self._state}".rstrip()

    def __enter__(self) -> Self:
        """Start to show the line, from a thread."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the thread, and print the line with the last state."""
        self._stop.set()
        self._thread.join()
        if time.monotonic() - self._started >= self._patience:
            self._print()

    def _print(self) -> None:
        with suppress(OSError):  # a full disk of the log: the work goes on, or names its own error
            self._console.print(self.line(), soft_wrap=True)

    def _refresh(self) -> None:
        if self._stop.wait(self._patience):
            return
        if not sys.stderr.isatty():
            while not self._stop.wait(_LINE_SECONDS):
                self._print()
            return
        with self._console.status(self.line()) as status:
            while not self._stop.wait(_LIVE_SECONDS):
                status.update(line(self.line()))


class StageProgress(logging.Handler):
    """A log handler that sums the progress of stages in all processes, for a ticker."""

    def __init__(self, ticker: Ticker) -> None:
        super().__init__(logging.INFO)
        self._ticker = ticker
        self._done: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        """Add the progress in a log record; ignore other records."""
        if parsed := parse_line(record.getMessage()):
            stage, number = parsed
            self._done[stage] += number
            self._ticker.say(self._summary())

    def _summary(self) -> str:
        parts = [f"{stage} {self._done[stage]:,}" for stage in Stage if self._done[stage]]
        if (total := self._done[PACKED]) and self._done[Stage.WRITE]:
            parts.append(f"{min(100, 100 * self._done[Stage.WRITE] // total)}%")
        return " · ".join(parts)


@contextmanager
def build_display() -> Iterator[Ticker]:
    """Show the progress of a build's stages while the block runs, and yield their line."""
    with Ticker("images:") as ticker:
        handler = StageProgress(ticker)
        loggers = [logging.getLogger(name) for name in _PROGRESS_LOGGERS]
        for logger in loggers:
            logger.setLevel(logging.INFO)
            logger.propagate = False
            logger.addHandler(handler)
        try:
            yield ticker
        finally:
            for logger in loggers:
                logger.removeHandler(handler)
                logger.propagate = True

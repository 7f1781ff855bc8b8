"""What a person sees while a build runs: one live line on a terminal, else a line now and then."""

import logging
import sys
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self

from rich.console import Console

from schemas.ledger import Stage
from transforms.progress import parse_line

LINE_SECONDS = 10.0
LIVE_SECONDS = 0.5
_PROGRESS_LOGGERS = ("regionforge.progress", "apache_beam.runners.portability.local_job_service")


class Display(logging.Handler):
    """Adds up the progress that stages log, from this process and from workers, and shows it."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._console = Console(stderr=True, highlight=False)
        self._done: Counter[str] = Counter()
        self._started = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._refresh, daemon=True)

    def emit(self, record: logging.LogRecord) -> None:
        """Take in one log record; anything but progress is left to others."""
        if found := parse_line(record.getMessage()):
            stage, number = found
            self._done[stage] += number

    def line(self) -> str:
        """Return how far the build is, in one line."""
        parts = [f"{stage} {self._done[stage]:,}" for stage in Stage if self._done[stage]]
        if (total := self._done[Stage.COMPOSE]) and self._done[Stage.WRITE]:
            parts.append(f"{min(100, 100 * self._done[Stage.WRITE] // total)}%")
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        return f"{minutes:d}:{seconds:02d}  images: {' · '.join(parts) or 'starting'}"

    def __enter__(self) -> Self:
        """Start listening and showing."""
        for name in _PROGRESS_LOGGERS:
            logger = logging.getLogger(name)
            logger.setLevel(logging.INFO)
            logger.propagate = False
            logger.addHandler(self)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and leave the last state on the screen."""
        self._stop.set()
        self._thread.join()
        for name in _PROGRESS_LOGGERS:
            logger = logging.getLogger(name)
            logger.removeHandler(self)
            logger.propagate = True
        self._console.print(self.line())

    def _refresh(self) -> None:
        if not sys.stderr.isatty():
            while not self._stop.wait(LINE_SECONDS):
                self._console.print(self.line())
            return
        with self._console.status(self.line()) as status:
            while not self._stop.wait(LIVE_SECONDS):
                status.update(self.line())

"""Signs of life: stages log how far they are, and a local run shows it.

Logs are the one channel that every runner carries from its workers to the launcher. A line is
written at most every few seconds for each stage and worker.
"""

import logging
import re
import time

INTERVAL_SECONDS = 2.0

_LINE = re.compile(r"progress (\w+) \+(\d+)")
_LOGGER = logging.getLogger("regionforge.progress")


class Progress:
    """Counts what a stage has done in a bundle, and logs the increase now and then."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._pending = 0
        self._due = time.monotonic() + INTERVAL_SECONDS

    def add(self, number: int = 1) -> None:
        """Count items done."""
        self._pending += number
        if time.monotonic() >= self._due:
            self.flush()

    def flush(self) -> None:
        """Log what has not been logged yet."""
        if self._pending:
            _LOGGER.info("progress %s +%d", self._stage, self._pending)
        self._pending = 0
        self._due = time.monotonic() + INTERVAL_SECONDS


def parse_line(line: str) -> tuple[str, int] | None:
    """Return the stage and the increase that a log line reports; None where it reports none.

    "progress screen +64" -> ("screen", 64)
    """
    match = _LINE.search(line)
    return (match[1], int(match[2])) if match else None

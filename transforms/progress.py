"""Progress: stages log the numbers of finished items, and a local run shows them.

Logs are the only channel from workers to the launcher that every runner has. A line is
written at most every few seconds for each stage and worker.
"""

import logging
import re
import time

PACKED = "packed"  # counts images on their way to a shard; a run writes as many as it packs

_INTERVAL_SECONDS = 2.0

_LINE = re.compile(r"progress (\w+) \+(\d+)")
_LOGGER = logging.getLogger("regionforge.progress")


class Progress:
    """A counter of the items that a stage has finished in a bundle; it logs the increase."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self._pending = 0
        self._due = time.monotonic() + _INTERVAL_SECONDS

    def add(self, number: int = 1) -> None:
        """Count finished items, and log them if the last log line is some seconds old."""
        self._pending += number
        if time.monotonic() >= self._due:
            self.flush()

    def flush(self) -> None:
        """Log the count since the last log line."""
        if self._pending:
            _LOGGER.info("progress %s +%d", self._stage, self._pending)
        self._pending = 0
        self._due = time.monotonic() + _INTERVAL_SECONDS


def parse_line(line: str) -> tuple[str, int] | None:
    """Return the stage and the increase that a log line reports; None for any other line.

    "progress screen +64" -> ("screen", 64)
    """
    match = _LINE.search(line)
    return (match[1], int(match[2])) if match else None

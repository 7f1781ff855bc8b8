"""The log file of a command: all that it prints, as plain text with times and without secrets.

Example of a line:

    2031-05-04T10:20:30+02:00 kept as finished: coco
"""

import os
from datetime import datetime

from schemas.console.secrets import masked
from schemas.errors import UsageError
from schemas.visible import visible


class LogFile:
    """A file to which lines are added, each with its time; of several processes too."""

    def __init__(self, path: str) -> None:
        """Open the file, or raise `UsageError` where it cannot be written."""
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        except (OSError, ValueError) as error:
            raise UsageError(f"--log-file {path}: cannot be written: {error}") from None
        self.path = path

    def write(self, text: str) -> None:
        """Add the lines of a text."""
        time = datetime.now().astimezone().isoformat(timespec="seconds")
        lines = "".join(f"{time} {line}\n" for line in visible(masked(text)).split("\n") if line)
        os.write(self._file, lines.encode(errors="backslashreplace"))

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

"""Arguments as they are typed, made fit for use."""

import re

from pipelines import files
from schemas.errors import UsageError

MOST_PROCESSES = 256

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|KB|MB|GB)", re.IGNORECASE)
_UNITS = {"b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30}


def parse_size(text: str) -> int:
    """Return a size like `500MB` in bytes; units are powers of 1024."""
    found = _SIZE.fullmatch(text.strip())
    if not found or not (size := int(float(found[1]) * _UNITS[found[2].lower()])):
        raise UsageError(f"--shard-size {text!r}: expected a size such as 500MB or 2GB")
    return size


def positive(flag: str, number: int) -> int:
    """Return a number that must be 1 or more."""
    if number < 1:
        raise UsageError(f"{flag} {number}: expected 1 or more")
    return number


def processes(number: int) -> int:
    """Return a number of local processes, within reason."""
    if number > MOST_PROCESSES:
        raise UsageError(f"--workers {number}: expected at most {MOST_PROCESSES}")
    return positive("--workers", number)


def folder(path: str) -> str:
    """Return the path of a folder without a slash at its end."""
    if not path:
        raise UsageError("a path is empty")
    files.check_reachable(path)
    return path if not files.is_local(path) else (path.rstrip("/") or "/")

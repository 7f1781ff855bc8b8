"""Arguments as they are typed, made fit for use."""

import re
from collections.abc import Sequence
from typing import get_args

from pipelines.datasets.spec import MAX_CAP, DetectionNames
from pipelines.recipes.recipe import MAX_SHARD_BYTES
from pipelines.storage import files
from schemas.errors import UsageError

MOST_PROCESSES = 256
KNOWN_NAMES = get_args(DetectionNames)

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(|k|m|g|ki|mi|gi)b", re.IGNORECASE)
_DIGITS = re.compile(rf"[0-9]{{1,{len(str(MAX_CAP))}}}")
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


def parse_size(text: str) -> int:
    """Return a size in bytes: `500MB` is 500 million, `500MiB` is 500 times 2^20."""
    match = _SIZE.fullmatch(text.strip())
    size = float(match[1]) * _UNITS[match[2].lower()] if match else 0.0
    if not 1 <= size <= MAX_SHARD_BYTES:
        raise UsageError(
            f"--shard-size {text[:200]!r}: expected a size such as 500MB or 2GiB, of at most "
            f"{MAX_SHARD_BYTES >> 30}GiB"
        )
    return int(size)


def parse_paths(given: Sequence[str], sources: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return paths like `vcr.images=/data/vcr1images` by source and role."""
    found: dict[str, dict[str, str]] = {}
    for text in given:
        place, _, path = text.partition("=")
        source, _, role = place.partition(".")
        if not role or not path:
            raise UsageError(f"--path {text!r}: expected SOURCE.ROLE=PATH")
        if source not in sources:
            raise UsageError(f"--path {text!r}: source {source!r} is not asked for")
        found.setdefault(source, {})[role] = folder(path)
    return found


def detection_paths(given: Sequence[str], names: str | None) -> list[str]:
    """Return detections like `llava=/data/boxes.json`, and their names, as `parse_paths` has it."""
    found = []
    for text in given:
        source, _, path = text.partition("=")
        if not source or not path:
            raise UsageError(f"--detections {text!r}: expected SOURCE=FILE")
        found.append(f"{source}.detections={path}")
        if names and names not in KNOWN_NAMES:
            found.append(f"{source}.detection_names={names}")
    if names and not given:
        raise UsageError("--detection-names goes with --detections SOURCE=FILE")
    return found


def parse_caps(
    key: str, given: Sequence[str], sources: Sequence[str]
) -> dict[str | None, int | str]:
    """Return caps like `20`, `coco=50` or `lvis=all` by source; None, the first: every source."""
    found: dict[str | None, int | str] = {}
    flag = f"--{key.replace('_', '-')}"
    for text in given:
        name, _, number = text.rpartition("=")
        if name and name not in sources:
            raise UsageError(f"{flag} {text}: source {name!r} is not asked for")
        if number != "all" and not (_DIGITS.fullmatch(number) and 1 <= int(number) <= MAX_CAP):
            raise UsageError(
                f"{flag} {text[:200]}: expected N, SOURCE=N or SOURCE=all, N from 1 to {MAX_CAP:,}"
            )
        found[name or None] = number if number == "all" else int(number)
    return {name: found[name] for name in sorted(found, key=bool)}


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
    try:
        path.encode()
    except UnicodeEncodeError:  # what is written of a build could not name it
        raise UsageError(f"{path!r}: expected a path in UTF-8") from None
    files.check_reachable(path)
    return path if not files.is_local(path) else (path.rstrip("/") or "/")

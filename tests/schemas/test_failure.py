"""The line of a command that failed."""

import errno
import os

import pytest

from schemas import console
from schemas.errors import InputFileError, UsageError

FULL = os.strerror(errno.ENOSPC)


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (UsageError("--limit 0"), 2, "--limit 0"),
        (InputFileError("a.json: cut"), 1, "a.json: cut"),
        (OSError(errno.EROFS, "Read-only file system", "/x/y"), 1, "/x/y: Read-only file system"),
        (OSError(errno.ENOSPC, FULL), 1, f"{FULL}: make room, or name another folder"),
        (OSError("of no number"), 1, "of no number"),
    ],
)
def test_a_failure_is_a_line(error, status, line, capsys) -> None:
    assert console.failure(error) == status
    assert capsys.readouterr().err == f"error: {line}\n"

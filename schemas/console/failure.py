"""The end of a command that failed: a line on standard error, and the exit status."""

import errno

from schemas.console.output import error as print_error
from schemas.errors import UsageError

# Exit statuses; 130 and 143 are those of a command that SIGINT or SIGTERM ended.
DONE, FAILED, MISUSED = 0, 1, 2

EXIT_STATUSES = """\
exit status: 0 done; 1 failed: a file, a server or data that cannot be used, or faults were seen;
2 misused: a flag, a name or a path that cannot be; 130, 143 ended by Ctrl-C or SIGTERM"""


def failure(error: Exception) -> int:
    """Print why a command failed, and return its exit status."""
    print_error(("error: ", "red"), _said(error))
    return MISUSED if isinstance(error, UsageError) else FAILED


def _said(error: Exception) -> str:
    """Return what an error says; of a system's error, without its number."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    named = f"{error.filename}: " if error.filename else ""
    room = ": make room, or name another folder" if error.errno == errno.ENOSPC else ""
    return f"{named}{error.strerror}{room}"

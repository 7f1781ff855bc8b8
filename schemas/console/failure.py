"""The end of a command that failed: a line on standard error, and the exit status."""

from schemas.console.output import error as print_error
from schemas.errors import UsageError

# Exit statuses; 130 and 143 are those of a command that SIGINT or SIGTERM ended.
DONE, FAILED, MISUSED = 0, 1, 2

EXIT_STATUSES = """\
exit status: 0 done; 1 failed: a file, a server or data that cannot be used, or faults were seen;
2 misused: a flag, a name or a path that cannot be; 130, 143 ended by Ctrl-C or SIGTERM"""


def failure(error: Exception) -> int:
    """Print why a command failed, and return its exit status."""
    print_error(("error: ", "red"), str(error))
    return MISUSED if isinstance(error, UsageError) else FAILED

"""The output of notices to the user during a run."""

import sys


def print_notice(line: str) -> None:
    """Print a line to standard error at once."""
    print(line, file=sys.stderr, flush=True)

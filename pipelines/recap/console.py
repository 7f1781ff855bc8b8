"""The channel for notices to a person while a run goes on."""

import sys


def print_notice(line: str) -> None:
    """Print a line to standard error at once."""
    print(line, file=sys.stderr, flush=True)

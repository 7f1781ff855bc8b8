"""The one channel for notices: what a person should know while a run goes on."""

import sys


def print_notice(line: str) -> None:
    """Print a line to standard error at once, where it mixes with no output."""
    print(line, file=sys.stderr, flush=True)

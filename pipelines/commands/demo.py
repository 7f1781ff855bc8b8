"""`demo`: the whole road on a drawn world."""

from argparse import Namespace
from pathlib import Path

from pipelines.demo import run_demo


def run(args: Namespace) -> int:
    """Run the demonstration."""
    return run_demo(Path(args.output))

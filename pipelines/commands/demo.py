"""`demo`: the whole road on a drawn world."""

from argparse import Namespace

from pipelines.demo import run_demo
from pipelines.own_folder import local_folder


def run(args: Namespace) -> int:
    """Run the demonstration."""
    return run_demo(local_folder(args.output))

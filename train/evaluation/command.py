"""The command `evaluate`."""

import argparse
import sys

from train.evaluation.plan import make_plan
from train.evaluation.run import evaluate


def run_command(args: argparse.Namespace) -> int:
    """Carry out the command and return its exit status."""
    figures = evaluate(make_plan(args))
    for figure in figures:
        sys.stdout.write(f"{figure.group or 'all'}: {figure.name} {figure.value:.2f}\n")
    return 0

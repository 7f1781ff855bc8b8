"""The command `evaluate`: a plan, carried out, and what came of it on the console."""

import argparse
import sys
from collections.abc import Iterator

from train.evaluation.plan import make_plan
from train.evaluation.run import Outcome, evaluate

_SHOWN = 3  # questions without an answer


def run_command(args: argparse.Namespace) -> int:
    """Carry out the command and return its exit status."""
    outcome = evaluate(make_plan(args))
    sys.stdout.writelines(f"{line}\n" for line in _lines(outcome))
    return 0


def _lines(outcome: Outcome) -> Iterator[str]:
    for figure in outcome.figures:
        note = f"  ({figure.note})" if figure.note else ""
        yield f"{figure.group:12} {figure.name:24} {figure.value:9.2f} of {figure.count:,}{note}"
    if outcome.unanswered:
        yield f"{len(outcome.unanswered)} questions have no answer, and count as wrong:"
        for (record, turn), reason in list(outcome.unanswered.items())[:_SHOWN]:
            yield f"  {record} turn {turn}: {reason}"

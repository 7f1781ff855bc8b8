"""The command `evaluate`: a plan, carried out, and its report on the console."""

import argparse

from rich.table import Table

from schemas.console import result, result_console
from train.evaluation.plan import make_plan
from train.evaluation.report import Report
from train.evaluation.report.table import tables
from train.evaluation.run import evaluate


def run_command(args: argparse.Namespace) -> int:
    """Carry out the command and return its exit status."""
    plan = make_plan(args)
    report = evaluate(plan)
    _print(report)
    result(f"wrote {plan.output}/report.json, report.md and report.html")
    return 0


def _print(report: Report) -> None:
    """Print all figures of a run, then the tables beside published numbers, then notes."""
    console = result_console()
    figures = Table("part", "figure", "value", "entries", "note", title=report.title)
    for line in report.ours:
        for each in line.figures:
            note = "; ".join(filter(None, [each.note, line.judge]))
            figures.add_row(each.group, each.name, f"{each.value:.2f}", f"{each.count:,}", note)
    if figures.rows:
        console.print(figures)
    for table in tables(report):
        shown = Table("method", *table.columns, "source", title=table.title)
        for row in table.rows:
            shown.add_row(row.line.method, *row.cells(), row.line.source)
        console.print(shown)
    for note in report.notes:
        result(note)

"""A report as Markdown."""

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from schemas.visible import one_line
from train.evaluation.report.lines import Line, Report
from train.evaluation.report.table import Table, tables

_SPECIAL = re.compile(r"([\\`*_\[\]|#])")


def to_markdown(report: Report) -> str:
    """Return a report as Markdown: its facts, its tables, all figures, and notes."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield from (f"# {_plain(report.title)}", "")
    yield from _table(("run", ""), report.facts.items())
    made = tables(report)
    yield from ("", "## Beside published numbers", "")
    if not report.published:
        yield from ("No numbers are published for this benchmark.", "")
    for table in made:
        yield from (f"### {_plain(table.title)}", "")
        yield from _scores(table)
        yield ""
    yield from ("## All figures of this run", "")
    yield from _table(
        ("method", "part", "figure", "value", "entries", "note"),
        (_cells for line in report.ours for _cells in _figures(line)),
    )
    if report.notes:
        yield from ("", "## Notes", "", *(f"- {_plain(note)}" for note in report.notes))


def _scores(table: Table) -> Iterator[str]:
    header = ("method", *table.columns, "source", "what differs")
    rows = [(row.line.method, *row.cells(), row.line.source, row.line.note) for row in table.rows]
    return _table(header, rows)


def _figures(line: Line) -> Iterator[Sequence[str]]:
    for figure in line.figures:
        method = f"{line.method}, judge: {line.judge}" if line.judge else line.method
        value, count = f"{figure.value:.2f}", f"{figure.count:,}"
        yield method, figure.group, figure.name, value, count, figure.note


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _row(header)
    yield "|" + " --- |" * len(header)
    yield from map(_row, rows)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(map(_plain, cells)) + " |"


def _plain(text: str) -> str:
    """Return the text so that no part of it is taken for markup."""
    return _SPECIAL.sub(r"\\\1", escape(one_line(text), quote=False))

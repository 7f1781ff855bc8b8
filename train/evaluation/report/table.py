"""The tables of a report: our scores above published ones, for each part of a benchmark.

A table is of one part (POPE's "random") and of one judge, so that scores of two judges never stand
in one column. Its columns are the published figures; a metric returns the figure of the published
protocol before its variants, and the first one of a name stands here. All figures, variants among
them, are in the report's list.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from train.evaluation.report.lines import Line, Report


@dataclass(frozen=True, kw_only=True)
class Row:
    """A method in a table, with a score for each column."""

    line: Line
    ours: bool
    values: tuple[float | None, ...]  # None: not reported

    def cells(self) -> tuple[str, ...]:
        """Return the scores as text: ours with two decimals, published ones as published."""
        return tuple(
            "–" if value is None else f"{value:.2f}" if self.ours else f"{value}"
            for value in self.values
        )


@dataclass(frozen=True, kw_only=True)
class Table:
    """The scores of one part of a benchmark, by one judge."""

    group: str  # empty: the whole
    judge: str  # empty: without one
    columns: tuple[str, ...]  # names of figures
    rows: tuple[Row, ...]

    @property
    def title(self) -> str:
        """The part and the judge, for a heading."""
        judge = f"judge: {self.judge}" if self.judge else ""
        return ", ".join(filter(None, [self.group, judge])) or "all entries"


def tables(report: Report) -> list[Table]:
    """Return the tables of a report, in the order of the published numbers.

    >>> [table.title for table in tables(report)]  # doctest: +SKIP
    ['random', 'popular', 'adversarial']
    """
    lines = (*report.published, *report.ours)
    keys = dict.fromkeys((line.judge, figure.group) for line in lines for figure in line.figures)
    made = [_table(report, judge, group) for judge, group in keys]
    return [table for table in made if table is not None]


def _table(report: Report, judge: str, group: str) -> Table | None:
    """Return the table of a judge and a part; None where nothing is compared or judged."""
    ours = [line for line in report.ours if line.judge == judge]
    published = [line for line in report.published if line.judge == judge]
    columns = _columns(published, group) or (_columns(ours, group) if judge else ())
    rows = [_row(line, columns, group, ours=True) for line in ours]
    rows += [_row(line, columns, group, ours=False) for line in published]
    rows = [row for row in rows if any(value is not None for value in row.values)]
    if not rows:
        return None
    return Table(group=group, judge=judge, columns=columns, rows=tuple(rows))


def _columns(lines: Iterable[Line], group: str) -> tuple[str, ...]:
    names = (figure.name for line in lines for figure in line.figures if figure.group == group)
    return tuple(dict.fromkeys(names))


def _row(line: Line, columns: Sequence[str], group: str, *, ours: bool) -> Row:
    values: dict[str, float] = {}
    for figure in line.figures:
        if figure.group == group:
            values.setdefault(figure.name, figure.value)
    return Row(line=line, ours=ours, values=tuple(map(values.get, columns)))

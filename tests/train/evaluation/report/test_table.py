"""The tables: who stands beside whom, and in which unit."""

from train.evaluation.figure import Figure
from train.evaluation.report.lines import Line, Report, published_line
from train.evaluation.report.table import tables

JUDGE, OTHER = "judge a, text only", "judge b, with pictures"


def figure(name: str, value: float, group: str = "", note: str = "") -> Figure:
    return Figure(name=name, value=value, count=10, group=group, note=note)


def report(ours: list[Line], published: list[Line]) -> Report:
    return Report(title="eval", facts={}, ours=ours, published=published)


def test_ours_stands_above_published_ones_in_a_table_for_each_part() -> None:
    ours = Line(
        method="this run",
        figures=[figure("accuracy", 87.125, "random"), figure("accuracy", 80, "popular")],
    )
    theirs = [
        published_line("A", "Table 1", {"random: accuracy": 86.4, "random: F1": 86.85}, note="x"),
        published_line("B", "Table 1", {"popular: accuracy": 50.0}),
    ]
    first, second = tables(report([ours], theirs))
    assert (first.title, first.columns) == ("random", ("accuracy", "F1"))
    assert [(row.line.method, row.cells()) for row in first.rows] == [
        ("this run", ("87.12", "–")),
        ("A", ("86.4", "86.85")),
    ]
    assert [(row.line.method, row.cells()) for row in second.rows] == [
        ("this run", ("80.00",)),
        ("B", ("50.0",)),
    ]


def test_the_first_figure_of_a_name_is_compared() -> None:
    ours = Line(
        method="this run",
        figures=[figure("mAP", 70, note="unit scores"), figure("mAP", 72, note="probability")],
    )
    (table,) = tables(report([ours], [published_line("A", "Table 1", {"mAP": 71.5})]))
    assert table.rows[0].values == (70,)


def test_two_judges_never_share_a_table() -> None:
    ours = [
        Line(method="this run", figures=[figure("words", 30)]),
        Line(method="this run", judge=JUDGE, figures=[figure("Avg", 60)]),
        Line(method="this run", judge=OTHER, figures=[figure("Avg", 70)]),
    ]
    theirs = [
        published_line("A", "s", {"Avg": 67.0}, judge="judge c"),
        published_line("B", "s", {"Avg": 77.0}, judge="judge d"),
    ]
    made = tables(report(ours, theirs))
    assert sorted(table.judge for table in made) == sorted([JUDGE, OTHER, "judge c", "judge d"])
    assert all({row.line.judge for row in table.rows} == {table.judge} for table in made)
    assert made[-1].title == f"judge: {OTHER}"


def test_where_nothing_is_published_there_is_no_table() -> None:
    assert tables(report([Line(method="this run", figures=[figure("Q->A", 25)])], [])) == []


def test_a_part_that_we_lack_keeps_the_published_lines() -> None:
    (table,) = tables(report([], [published_line("A", "s", {"val: accuracy": 86.4})]))
    assert [row.ours for row in table.rows] == [False]

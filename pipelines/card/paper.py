"""The comparison of a build's numbers with the numbers that a paper reports of the same mix."""

from collections.abc import Iterator
from typing import NamedTuple

from rich.table import Table

from pipelines.plan import Plan
from pipelines.recipes.paper import ALL_SOURCES, Report
from schemas.console import Console, say
from schemas.ledger import Ledger, Stage
from schemas.rejection import Kind

_KINDS = {
    "images": Kind.IMAGE,
    "regions": Kind.ANNOTATION,
    "sentences": Kind.SENTENCE,
    "conversations": Kind.CONVERSATION,
}


class Compared(NamedTuple):
    """A number that the paper reports, and the same number of the build."""

    report: Report
    made: int


def compared(plan: Plan, ledger: Ledger) -> Iterator[Compared]:
    """Yield the paper's numbers with the build's; nothing where the recipe follows no paper."""
    paper = plan.recipe.paper
    for report in paper.reports if paper else ():
        made = sum(
            ledger.account(split.source, split.split, Stage.WRITE, _KINDS[report.what]).kept
            for split in plan.splits
            if report.source in (ALL_SOURCES, split.source)
        )
        yield Compared(report, made)


def print_reported(console: Console, plan: Plan, ledger: Ledger) -> None:
    """Print the paper's numbers with the build's, and the contradictions within the paper."""
    paper = plan.recipe.paper
    if paper is None:
        return
    table = Table(title=f"{paper.title} reports of the full data", title_justify="left")
    for name in ("source", "of what", "paper", "this build", "where"):
        table.add_column(name, justify="right" if name in ("paper", "this build") else "left")
    for report, made in compared(plan, ledger):
        table.add_row(
            report.source,
            report.what,
            f"{report.number:,}",
            f"{made:,}",
            report.source_text,
        )
    console.print(table)
    for line in paper.contradictions:
        say(("- ", "dim"), line)


def reported_section(plan: Plan, ledger: Ledger) -> str:
    """Return the numbers as a section of the card; empty where the recipe follows no paper."""
    paper = plan.recipe.paper
    if paper is None:
        return ""
    lines = [
        f"## Beside what {paper.title} reports",
        "",
        "| source | of what | paper | this build | where |",
        "|---|---|---:|---:|---|",
        *(
            f"| {report.source} | {report.what} | {report.number} | {made} | {report.source_text} |"
            for report, made in compared(plan, ledger)
        ),
    ]
    if paper.contradictions:
        lines += ["", "The paper's numbers do not all agree:", ""]
        lines += [f"- {line}" for line in paper.contradictions]
    return "\n".join(lines)

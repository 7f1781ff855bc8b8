"""The report that the console shows at the end of a verification."""

from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape

from pipelines.verify.output import Report

_MAX_PROBLEMS = 50


def print_report(report: Report) -> None:
    """Print the problems of a build, and a line with the overall result."""
    console = Console(highlight=False)
    for problem in report.problems[:_MAX_PROBLEMS]:
        shown = problem.encode(errors="backslashreplace").decode()  # names may be invalid UTF-8
        console.print(f"[red]wrong[/red] {escape(shown)}", soft_wrap=True)
    if (more := len(report.problems) - _MAX_PROBLEMS) > 0:
        console.print(f"and {more:,} more")
    verdict = "verified" if report.ok else f"{len(report.problems):,} problems"
    console.print(
        f"{verdict}: {report.rows:,} records in {report.shards} shards, {decimal(report.bytes)}"
    )

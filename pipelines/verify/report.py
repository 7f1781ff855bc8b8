"""The report that the console shows at the end of a verification."""

from rich.filesize import decimal

from pipelines.verify.output import Report
from schemas.console import result

_MAX_PROBLEMS = 50


def print_report(report: Report) -> None:
    """Print the problems of a build, and a line with the overall result."""
    for problem in report.problems[:_MAX_PROBLEMS]:
        result(("wrong ", "red"), problem)
    if (more := len(report.problems) - _MAX_PROBLEMS) > 0:
        result(f"and {more:,} more")
    verdict = "verified" if report.ok else f"{len(report.problems):,} problems"
    result(f"{verdict}: {report.rows:,} records in {report.shards} shards, {decimal(report.bytes)}")

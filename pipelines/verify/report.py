"""The report that the console shows at the end of a verification."""

from typing import Any

from rich.filesize import decimal

from pipelines.verify.output import Report
from schemas.console import result
from schemas.counted import counted

_MAX_PROBLEMS = 50


def print_report(report: Report) -> None:
    """Print the problems of a build, and a line with the overall result."""
    for problem in report.problems[:_MAX_PROBLEMS]:
        result(("wrong ", "red"), problem)
    if (more := len(report.problems) - _MAX_PROBLEMS) > 0:
        result(f"and {more:,} more")
    verdict = "verified" if report.ok else counted(len(report.problems), "problem")
    size = f"{counted(report.shards, 'shard')}, {decimal(report.bytes)}"
    result(f"{verdict}: {counted(report.rows, 'record')} in {size}")


def report_json(report: Report, output: str) -> dict[str, Any]:
    """Return the report as a document.

    {"command": "verify", "output": "/shards", "ok": false, "records": 40, "shards": 2,
     "bytes": 81234, "problems": ["coco/train-00000-of-00002.arrow: ..."]}
    """
    return {
        "command": "verify",
        "output": output,
        "ok": report.ok,
        "records": report.rows,
        "shards": report.shards,
        "bytes": report.bytes,
        "problems": report.problems,
    }

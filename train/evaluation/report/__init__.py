"""Reports: a run's figures beside published ones, as JSON and Markdown, and a page of cases."""

from train.evaluation.report.cases import Case, choose_cases
from train.evaluation.report.files import write_report
from train.evaluation.report.lines import Line, Report
from train.evaluation.report.marks import Mark, marks
from train.evaluation.report.published import published

__all__ = [
    "Case",
    "Line",
    "Mark",
    "Report",
    "choose_cases",
    "marks",
    "published",
    "write_report",
]

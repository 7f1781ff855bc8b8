"""Report: an output as offline HTML pages, to look at its data and to judge its captions.

1. Count all records (`statistics`), and choose some by the hash of their images (`choose`).
2. Go through the chosen records in order: a page of records for one after another (`samples`), and
   cards for the grids, which wait in a file (`cards`, `spool`).
3. Write the grids in the order of scores (`grids`), and the index.

The text of records is foreign: templates escape all of it, and show its hidden characters.
"""

from pipelines.report.report import ReportOptions, write_report

__all__ = ["ReportOptions", "write_report"]

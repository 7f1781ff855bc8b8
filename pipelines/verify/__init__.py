"""Verify: a check of a whole build that reads every file again and names every problem."""

from pipelines.verify.output import Report, verify

__all__ = ["Report", "verify"]

"""Verify: re-read a whole build, trust none of it, and name what is wrong."""

from pipelines.verify.output import Report, verify

__all__ = ["Report", "verify"]

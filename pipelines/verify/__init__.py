"""Verify: a whole build is read again, trusted in nothing, and every problem is named."""

from pipelines.verify.output import Report, verify

__all__ = ["Report", "verify"]

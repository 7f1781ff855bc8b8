"""Diff: what differs between two builds, record by record."""

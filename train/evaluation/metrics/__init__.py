"""Metrics: functions from answers to figures, which need neither a model nor pictures."""

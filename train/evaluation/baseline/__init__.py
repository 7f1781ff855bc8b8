"""Baselines: what other models answer to a build's questions, as predictions like any others."""

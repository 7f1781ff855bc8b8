"""Evaluation: a model's answers to an evaluation build, their scores, and the report of both."""

"""The leakage guard of a build: the pictures that evaluations use."""

from pipelines.guard.guard import Guard, check_guard, load_guard

__all__ = ["Guard", "check_guard", "load_guard"]

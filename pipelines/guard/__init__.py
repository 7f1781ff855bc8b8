"""The leakage guard of a build: which pictures evaluations are done on."""

from pipelines.guard.guard import Guard, check_guard, load_guard

__all__ = ["Guard", "check_guard", "load_guard"]

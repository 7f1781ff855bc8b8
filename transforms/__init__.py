"""Beam stages, one per file: a pure function that does the work, and the transform that runs it."""

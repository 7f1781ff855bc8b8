"""Beam stages, one to a file: a pure function that does the work, then the transform around it."""

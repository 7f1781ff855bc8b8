"""Benchmarks, a stub server for tests, and the training of the small CLIP."""

"""Benchmarks, and development code: full-size data sets, the training of the small CLIP."""

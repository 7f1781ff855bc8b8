"""Data sets for benchmarks, as large as the published ones, with random texts and boxes."""

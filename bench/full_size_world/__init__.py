"""Data sets of their owners' sizes, for benchmarks; what they say is drawn by chance, not seen."""

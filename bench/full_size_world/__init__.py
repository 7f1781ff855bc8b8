"""Data sets of their owners' sizes, for benchmarks; their texts and boxes are random."""

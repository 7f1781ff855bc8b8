"""The benchmark POPE."""

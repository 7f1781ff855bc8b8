"""The benchmark GAR-Bench."""

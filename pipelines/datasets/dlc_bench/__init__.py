"""The benchmark DLC-Bench."""

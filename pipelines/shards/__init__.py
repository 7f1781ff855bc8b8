"""Shards as files: pages of rows, writing, reading, and the state that a rerun needs."""

"""Shard files: pages of rows, a writer, a reader, and the state by which a rerun skips a shard."""

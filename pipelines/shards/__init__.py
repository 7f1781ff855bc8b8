"""Shard files: pages of packed images, a writer, a reader, and what a rerun knows of a shard."""

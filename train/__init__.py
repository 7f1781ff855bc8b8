"""Training and evaluation: shards to batches, the loop, checkpoints, metrics, named recipes.

Stands on `model` and `schemas`; the pipelines meet it only in the shards on disk.
"""

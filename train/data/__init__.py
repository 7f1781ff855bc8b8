"""From shards to batches: rows, their order, their pictures and regions."""

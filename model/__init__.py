"""GPT4RoI and RegionGPT as torch modules: vision, region features, projector, language model.

Knows `schemas` for boxes, masks and the shard contract, and nothing of how shards are made.
"""

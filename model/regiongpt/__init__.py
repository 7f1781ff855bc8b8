"""RegionGPT's own parts: refinement of the feature map, mask pooling, the shared connector."""

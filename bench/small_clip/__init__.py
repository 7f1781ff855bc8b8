"""The training of the small CLIP that `pipelines.recap.clip` ships, and its measures."""

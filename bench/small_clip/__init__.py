"""The training and evaluation of the small CLIP in `pipelines.recap.small_clip`."""

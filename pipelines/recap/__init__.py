"""RecapD: detailed captions of regions from a vision-language model, in two stages.

`run.py` checks the output and launches `flow.py`, which hands each shard to `caption_shard.py`.
`captioning` holds requests, answers, journal and filter, and uses `clip` for scores and thresholds;
`client` sends requests to servers, and `serving` starts a server.

The stages follow RegionGPT, section 3.3: the model first captions the whole image, and then each
region, with the image's caption and the region's class name in the prompt. Captions whose CLIP
similarity to the region's crop is too low are left out.
"""

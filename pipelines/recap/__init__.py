"""RecapD: detailed captions of regions from a vision-language model, in two stages.

`run.py` checks the output and launches `flow.py`, which hands each shard to `caption_shard.py`.
`captioning` holds requests, answers, journal and filter, and uses `clip` for scores and thresholds;
`client` asks servers, and `serving` starts one.

RegionGPT, section 3.3: first a caption of the whole image, then one of each region, given that
caption and the region's class name; captions that CLIP finds unlike their crop are left out.
"""

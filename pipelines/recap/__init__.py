"""RecapD: detailed captions of regions, asked of a vision-language model in two stages.

RegionGPT, section 3.3: first a caption of the whole image, then one of each region, given that
caption and the region's class name; captions that CLIP finds unlike their crop are left out.
"""

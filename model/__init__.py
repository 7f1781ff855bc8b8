"""GPT4RoI and RegionGPT as torch modules: vision, region features, projector, language model.

Knows `schemas` for boxes, masks and the shard contract, and nothing of how shards are made.

Importing this package makes its classes known to transformers' Auto classes.
"""

from transformers import AutoImageProcessor, AutoProcessor

from model.config import GPT4RoIConfig, RegionGPTConfig
from model.image_processor import RegionImageProcessor
from model.processor import RegionProcessor

for _config in (GPT4RoIConfig, RegionGPTConfig):
    AutoProcessor.register(_config, RegionProcessor, exist_ok=True)
    AutoImageProcessor.register(
        _config,
        image_processor_classes={"torchvision": RegionImageProcessor, "pil": RegionImageProcessor},
        exist_ok=True,
    )

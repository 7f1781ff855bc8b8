"""GPT4RoI and RegionGPT as models of transformers: vision, region features, language model.

Importing the package makes its classes known to transformers' Auto classes:

    import model

    processor = AutoProcessor.from_pretrained(folder)
    region_model = AutoModelForImageTextToText.from_pretrained(folder)

Knows `schemas` for boxes, masks and the shard contract, and nothing of how shards are made.
"""

from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModel,
    AutoModelForImageTextToText,
    AutoProcessor,
)

from model.config import GPT4RoIConfig, RegionGPTConfig
from model.image_processor import RegionImageProcessor
from model.processor import RegionProcessor
from model.region_model import (
    GPT4RoIForConditionalGeneration,
    RegionGPTForConditionalGeneration,
)

__all__ = [
    "GPT4RoIConfig",
    "GPT4RoIForConditionalGeneration",
    "RegionGPTConfig",
    "RegionGPTForConditionalGeneration",
    "RegionImageProcessor",
    "RegionProcessor",
]

for _config, _model in (
    (GPT4RoIConfig, GPT4RoIForConditionalGeneration),
    (RegionGPTConfig, RegionGPTForConditionalGeneration),
):
    AutoConfig.register(_config.model_type, _config, exist_ok=True)
    AutoModel.register(_config, _model, exist_ok=True)
    AutoModelForImageTextToText.register(_config, _model, exist_ok=True)
    AutoProcessor.register(_config, RegionProcessor, exist_ok=True)
    AutoImageProcessor.register(
        _config,
        image_processor_classes={"torchvision": RegionImageProcessor, "pil": RegionImageProcessor},
        exist_ok=True,
    )

"""A GPT4RoI that is smaller than the tiny one, for tests that ask for no certain size."""

from typing import Any

from model.config import GPT4RoIConfig
from model.presets import tiny_gpt4roi


def small_gpt4roi(**changes: Any) -> GPT4RoIConfig:
    """Return a tiny GPT4RoI with four layers in its tower, not 11, and one block of shuffle."""
    config = tiny_gpt4roi(shuffle_blocks=1, pyramid_layers=(-1, -2, -3, -4), **changes)
    config.vision_config.num_hidden_layers = 4
    return config

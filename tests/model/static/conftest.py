"""Models of the papers' size without memory: on the meta device, tensors have shapes alone."""

from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from model.attention import ATTENTION_NAME
from model.config import GPT4RoIConfig, RegionConfig
from model.presets import gpt4roi_7b, gpt4roi_7b_released, regiongpt_7b
from model.region_model import (
    GPT4RoIForConditionalGeneration,
    RegionGPTForConditionalGeneration,
    RegionModel,
)

PRESETS: dict[str, Callable[[], RegionConfig]] = {
    "gpt4roi_7b": gpt4roi_7b,
    "gpt4roi_7b_released": gpt4roi_7b_released,
    "regiongpt_7b": regiongpt_7b,
}


@pytest.fixture(scope="session")
def build_model() -> Callable[[RegionConfig], RegionModel]:
    """A function that makes the model of a configuration in a dtype, see `make_model`."""
    return make_model


@pytest.fixture(scope="session")
def meta_model() -> Callable[..., RegionModel]:
    """A function that makes the model of a preset on the meta device, each once.

    Its second argument is the number of blocks of the language model and of scale shuffle, if not
    the preset's.
    """

    @cache
    def make(preset: str, blocks: int | None = None) -> RegionModel:
        config = PRESETS[preset]()
        if blocks is not None:
            config.text_config.num_hidden_layers = blocks
            if isinstance(config, GPT4RoIConfig):
                config.shuffle_blocks = blocks
        with torch.device("meta"):
            return make_model(config)

    return make


@pytest.fixture(scope="session")
def shorten() -> Callable[[RegionConfig], RegionConfig]:
    """A function that leaves few of a configuration's blocks that repeat, see `shortened`."""
    return shortened


@pytest.fixture(scope="session")
def count_flops() -> Callable[[Callable[[], object]], dict[str, int]]:
    """A function that runs another one and returns its FLOPs by operator, see `flops_of`."""
    return flops_of


@pytest.fixture(scope="session")
def meta_batch(
    training_batch: Callable[..., dict[str, Tensor]],
) -> Callable[..., dict[str, Tensor]]:
    """A function that makes a training batch on the meta device."""

    def make(config: RegionConfig, **sizes: int | bool) -> dict[str, Tensor]:
        batch = training_batch(config, **sizes)
        return {name: tensor.to("meta") for name, tensor in batch.items()}

    return make


def make_model(config: RegionConfig, dtype: torch.dtype = torch.float32) -> RegionModel:
    """The model of a configuration, with this package's attention."""
    is_gpt4roi = isinstance(config, GPT4RoIConfig)
    kind = GPT4RoIForConditionalGeneration if is_gpt4roi else RegionGPTForConditionalGeneration
    torch.set_default_dtype(dtype)  # parameters without values cannot be converted later
    try:
        model = kind(config)
    finally:
        torch.set_default_dtype(torch.float32)
    model.set_attn_implementation({"text_config": ATTENTION_NAME})
    return model


def shortened(config: RegionConfig) -> RegionConfig:
    """The configuration with one block of the language model and two of the vision tower."""
    config.text_config.num_hidden_layers = 1
    config.vision_config.num_hidden_layers = 2
    if isinstance(config, GPT4RoIConfig):
        config.pyramid_layers = (-1, -1, -2, -2)
        config.shuffle_blocks = 1
    return config


def flops_of(run: Callable[[], object]) -> dict[str, int]:
    """The FLOPs of products of two matrices, of batches of them, and of convolutions."""
    with FlopCounterMode(display=False) as counter:
        run()
    counts = {str(name): n for name, n in counter.get_flop_counts().get("Global", {}).items()}
    kinds = {
        "products": ("aten.mm", "aten.addmm"),
        "batched": ("aten.bmm", "aten.baddbmm"),
        "convolutions": ("aten.convolution", "aten.convolution_backward"),
    }
    sums = {kind: sum(counts.pop(name, 0) for name in names) for kind, names in kinds.items()}
    assert counts == {}, "an operator that no hand count knows"
    return sums

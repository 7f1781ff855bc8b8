"""The floating-point operations of training on rows, of what the result needs and no more.

Counted is twice a multiplication: forward, and of the backward pass the gradients that somebody
asks for. A frozen part has none of its weights, and the vision tower none at all. Attention is
causal within a row, so half of the square, and 3.5 times its forward pass, as a fused kernel makes
the scores again. Tokens that rows begin with together are counted in one of them. The head is
counted where a token has a loss. Interpolation, norms, padding and what is computed again are left
out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.config import GPT4RoIConfig, RegionConfig, RegionGPTConfig
from model.stages import STAGES

Numbers = NDArray[np.int64]
Flops = NDArray[np.float64]

_ATTENTION = 3.5  # times the forward pass


@dataclass(frozen=True, kw_only=True)
class RowSizes:
    """The sizes of some rows, [rows] each."""

    tokens: Numbers
    supervised: Numbers
    pictures: Numbers  # 0 or 1
    regions: Numbers
    shared: Numbers | int = 0  # tokens at its beginning that are computed in another row


def training_flops(config: RegionConfig, stage: str, sizes: RowSizes) -> Flops:
    """Return the operations of training on each of some rows, [rows]; see `flops_by_part`."""
    return np.sum(list(flops_by_part(config, stage, sizes).values()), axis=0)


def flops_by_part(config: RegionConfig, stage: str, sizes: RowSizes) -> dict[str, Flops]:
    """Return the operations of training on each of some rows, [rows], by the part of the model.

    Args:
        config: the model's.
        stage: one of `model.stages.STAGES`.
        sizes: of the rows.
    """
    trains = "language_model" in STAGES[stage].trained
    passes = 3 if trains else 2
    text = config.text_config
    head = int(getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads)
    heads = 2 * (text.num_attention_heads + text.num_key_value_heads)
    block = text.hidden_size * (heads * head + 3 * text.intermediate_size)
    seen = sizes.tokens.astype(float) ** 2 - np.square(sizes.shared, dtype=float)
    square = 2.0 * seen * text.num_attention_heads * head
    if isinstance(config, RegionGPTConfig):
        connector = _regiongpt(config, sizes.regions)
    else:
        connector = _gpt4roi(config, sizes.regions, projector=2 if trains else 1)
    layers = text.num_hidden_layers
    return {
        "vision tower": sizes.pictures * _tower(config),
        "connector": sizes.pictures * connector,
        "language model": layers * passes * _product(sizes.tokens - sizes.shared, block, 1),
        "attention": layers * _ATTENTION * square,
        "head": passes * _product(sizes.supervised, text.hidden_size, text.vocab_size),
    }


def _product(rows: Numbers | int, inner: int, columns: int) -> Flops:
    return 2.0 * np.asarray(rows, dtype=np.float64) * inner * columns


def _tower(config: RegionConfig) -> Flops:
    """Return the forward pass of a picture up to the last hidden state that is needed."""
    vision = config.vision_config
    states = vision.num_hidden_layers + 1
    blocks = max(layer % states for layer in config.feature_layers)
    patches, width = config.image_tokens, vision.hidden_size
    tokens = patches + config.has_class_token
    linear = _product(tokens, width, 4 * width + 2 * vision.intermediate_size)
    square = 2 * _product(tokens, width, tokens)
    return _product(patches, 3 * vision.patch_size**2, width) + blocks * (linear + square)


def _regiongpt(config: RegionGPTConfig, regions: Numbers) -> Flops:
    """Return a picture's training step; the input of what comes first has no gradient."""
    width, out = config.vision_config.hidden_size, config.text_config.hidden_size
    patches = config.image_tokens
    projected = _product(patches + regions, width, out)
    mlp = projected + _product(patches + regions, out, out)
    pooling = 2 * _product(regions, config.region_grid**2, width)
    if config.refinement in {"bilinear", "none"}:
        return 3 * mlp - projected + pooling / 2
    first = _product(patches, width, width * config.refinement_kernel**2)
    return 2 * first + 3 * 4 * first + 3 * mlp + pooling


def _gpt4roi(config: GPT4RoIConfig, regions: Numbers, *, projector: int) -> Flops:
    """Return a picture's training step, without what encodes regions where there are none."""
    channels, out = config.vision_config.hidden_size, config.text_config.hidden_size
    image = projector * _product(config.image_tokens, channels, out)
    width, levels = config.pyramid_width, len(config.pyramid_layers)
    cells = sum((config.grid * 2**level) ** 2 for level in range(levels))
    pyramid = 2 * levels * _product(config.image_tokens, channels + 2, width)
    shuffle = 3 * config.shuffle_blocks * _product(cells, 9 * width, width)
    crop = config.roi_size**2
    each = _product(crop, 9 * levels * width, width) + _product(1, crop * width + out, width)
    if config.box_embedding:
        hidden = config.box_embedding_width
        each = each + _product(1, hidden, width) + _product(1, 4, hidden) * 2 / 3
    return image + (regions > 0) * (pyramid + shuffle) + 3 * regions * each

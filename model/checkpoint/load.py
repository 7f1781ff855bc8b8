"""A model made from the towers that others publish."""

import copy
from pathlib import Path

import torch

from model.checkpoint.build import build_model, stored_dtype
from model.checkpoint.first_stage import FirstStage, read_first_stage
from model.checkpoint.towers import read_language, read_vision, stop_words
from model.config import GPT4RoIConfig, RegionConfig
from model.region_model import RegionModel
from schemas.errors import InputFileError


def load_towers(
    config: RegionConfig,
    *,
    vision: str | Path,
    language: str | Path,
    init: str | Path | None = None,
    dtype: torch.dtype | None = None,
) -> RegionModel:
    """Return a model with a published vision tower and language model, ready to be trained.

        model = load_towers(
            regiongpt_7b(),
            vision="openai/clip-vit-large-patch14-336",
            language="lmsys/vicuna-7b-v1.5",
            init="llava-v1.5-mlp2x-336px-pretrain-vicuna-7b-v1.5/mm_projector.bin",
        )

    The towers must have the configuration's shapes; what else they state about themselves, e.g.
    their activation and their vocabulary, is taken from them. The connector starts anew, except
    for what `init` has.

    Args:
        config: of the model; it is not changed.
        vision: a folder or a name on the Hub, of CLIP or SigLIP.
        language: a folder or a name on the Hub, of a causal language model.
        init: an earlier stage's connector, see `model.checkpoint.first_stage`. GPT4RoI has vectors
            before and after the image tokens where this has them.
        dtype: of all parameters; by default the language model's.
    """
    config = copy.deepcopy(config)
    tower = read_vision(vision, config.vision_config)
    words = read_language(language, config.text_config)
    config.vision_config, config.text_config = tower.config, words.config
    config.vision_source, config.language_source = tower.name, words.name
    config.tie_word_embeddings = bool(getattr(words.config, "tie_word_embeddings", False))
    weights = tower.weights.joined(words.weights)
    whole = False
    if init is not None:
        start = read_first_stage(init, config)
        set_boundaries(config, start, init)
        weights, whole = weights.joined(start.weights), start.whole
    model = build_model(
        config,
        weights,
        dtype or stored_dtype(words.config, words.weights),
        fresh_connector=not whole,
    )
    model.generation_config.update(**stop_words(language))
    return model


def set_boundaries(config: RegionConfig, start: FirstStage, origin: str | Path) -> None:
    """Give the model image start and end vectors where its start has them."""
    if not isinstance(config, GPT4RoIConfig):
        return
    if config.image_boundaries and not start.boundaries:
        raise InputFileError(
            f"{origin}: no rows of model.embed_tokens.weight for image start and end, and the "
            "configuration has image_boundaries: set it to False, or give another file"
        )
    config.image_boundaries = start.boundaries

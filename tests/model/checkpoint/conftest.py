"""Small published towers: folders with the files, key names and shapes of real ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CLIPModel, SiglipModel

from model.config import GPT4RoIConfig
from model.presets import tiny_gpt4roi
from tests.model.checkpoint.published import (
    language_fields,
    language_state,
    vision_fields,
    write_config,
    write_shards,
    write_weights,
    write_whole,
)


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory) -> Path:
    """A whole CLIP, text part and all, as its owner publishes it."""
    folder = tmp_path_factory.mktemp("clip")
    return write_whole(folder, CLIPModel, "clip", "clip_vision_model", "clip_text_model")


@pytest.fixture(scope="session")
def siglip_folder(tmp_path_factory) -> Path:
    """A whole SigLIP, as its owner publishes it; SigLIP 2 at a fixed size is the same."""
    folder = tmp_path_factory.mktemp("siglip")
    return write_whole(folder, SiglipModel, "siglip", "siglip_vision_model", "siglip_text_model")


@pytest.fixture(scope="session")
def vicuna_folder(tmp_path_factory) -> Path:
    """A Vicuna in two pickles of tensors with an index."""
    folder = tmp_path_factory.mktemp("vicuna")
    write_config(folder, **language_fields())
    torch.manual_seed(2)
    write_shards(folder, language_state(), bin=True)
    return folder


@pytest.fixture
def language_folder(tmp_path) -> Callable[..., Path]:
    """Writes a language model in one file of safetensors; fields of its config may differ."""

    def write(name: str = "language", **changes: Any) -> Path:
        folder = tmp_path / name
        write_config(folder, **language_fields(**changes))
        write_weights(folder / "model.safetensors", language_state(**changes))
        return folder

    return write


@pytest.fixture(scope="session")
def shallow_gpt4roi() -> Callable[..., GPT4RoIConfig]:
    """Makes a GPT4RoI whose vision tower has no more layers than the folders here."""

    def make(**changes: Any) -> GPT4RoIConfig:
        vision = vision_fields()
        return tiny_gpt4roi(vision_config=vision, pyramid_layers=[-1, -2, -2, -3], **changes)

    return make

"""Tiny models whose random answers differ from picture to picture, and from region to region."""

from pathlib import Path

import torch
from transformers import AutoModel

from model.config import RegionConfig
from model.presets import tiny_regiongpt
from model.tiny import write_tiny_model
from tests.small_models import small_gpt4roi

KINDS = ("gpt4roi", "regiongpt")
_SHARPER = 10  # times the usual start: small weights all give the same words


def write_lively_model(folder: Path, config: RegionConfig) -> None:
    """Write a tiny model with larger random weights than `write_tiny_model` does."""
    write_tiny_model(folder, config)
    model = AutoModel.from_pretrained(folder)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(_SHARPER)
    model.save_pretrained(folder)


def write_both_lively_models(root: Path) -> None:
    """Write a lively model of each kind into a folder of its name."""
    write_lively_model(root / "gpt4roi", small_gpt4roi())
    write_lively_model(root / "regiongpt", tiny_regiongpt())

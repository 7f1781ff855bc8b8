"""Rows of segments, by their lengths, and the shape of small language models."""

import torch
from torch import Tensor

from model.attention import offset_mask

SHAPE = {
    "vocab_size": 64,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
}


def offsets_of(lengths: list[int]) -> Tensor:
    return offset_mask(torch.tensor([0, *lengths]).cumsum(0), max(lengths))


def numbers_of(lengths: list[int]) -> list[int]:
    return [number for number, length in enumerate(lengths) for _ in range(length)]


def positions_of(lengths: list[int]) -> list[int]:
    return [position for length in lengths for position in range(length)]

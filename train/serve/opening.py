"""The opening of a checkpoint in any of its forms, to be asked."""

import os

import torch

from model.processor import processor_for
from model.serve.opened import OpenedModel
from train.plan import device_named
from train.start import Start, open_trained, read_config, read_tokenizer


def open_model(
    checkpoint: str | os.PathLike[str], *, device: str | None = None, dtype: str | None = None
) -> OpenedModel:
    """Return a model that was trained before, ready to be asked.

    Args:
        checkpoint: a run's folder, a step's, a model's folder, or a name on the Hub.
        device: `cpu` or `cuda`; by default a GPU if there is one.
        dtype: of weights and computation, e.g. `bfloat16`; by default that on a GPU, else
            `float32`.

    Raises:
        RegionForgeError: there is no such model, it cannot be read, or there is no such device.
    """
    start = Start(checkpoint=os.fspath(checkpoint))
    chosen = device_named(device)
    precision = dtype or ("float32" if chosen.type == "cpu" else "bfloat16")
    processor = processor_for(read_config(start), read_tokenizer(start))
    model = open_trained(start, getattr(torch, precision)).to(chosen)
    model.set_attn_implementation({"text_config": "sdpa"})  # rows are padded
    return OpenedModel(model=model, processor=processor)

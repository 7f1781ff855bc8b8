"""A model made from tensors under our names: whole and strictly, or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from transformers import PreTrainedConfig
from transformers.utils import logging

from model.checkpoint.files import Weights
from model.config import GPT4RoIConfig, RegionConfig
from model.misfit import refuse_misfit
from model.region_model import (
    GPT4RoIForConditionalGeneration,
    RegionGPTForConditionalGeneration,
    RegionModel,
)

CONNECTOR = "connector."  # its prefix in our models


def build_model(
    config: RegionConfig, weights: Weights, dtype: torch.dtype, *, fresh_connector: bool
) -> RegionModel:
    """Return a model with these weights, in evaluation mode.

    Each tensor is read once, into its place: there is never a second copy of the model.

    Args:
        config: of the model.
        weights: under our names.
        dtype: of all parameters.
        fresh_connector: whether tensors of the connector may be missing; they start anew.
    """
    kind = (
        GPT4RoIForConditionalGeneration
        if isinstance(config, GPT4RoIConfig)
        else RegionGPTForConditionalGeneration
    )
    with _quiet():
        model, report = kind.from_pretrained(
            None,
            config=config,
            state_dict=dict(weights.tensors),
            dtype=dtype,
            ignore_mismatched_sizes=True,  # so that they are reported
            output_loading_info=True,
        )
    if fresh_connector:
        missing = {key for key in report["missing_keys"] if not key.startswith(CONNECTOR)}
        report = {**report, "missing_keys": missing}
    refuse_misfit(weights.origin, report, weights.files)
    _detach(model, weights.tensors)
    # transformers writes the folder here, and there is none: "None" would be looked for on the Hub.
    model.config.name_or_path = model.name_or_path = ""
    return model


def stored_dtype(config: PreTrainedConfig, weights: Weights) -> torch.dtype:
    """Return the type that a checkpoint states for its parameters, or that its tensors have."""
    stated = getattr(config, "dtype", None)
    if isinstance(stated, str):
        stated = getattr(torch, stated, None)
    if isinstance(stated, torch.dtype):
        return stated
    return next(tensor.dtype for tensor in weights.tensors.values() if tensor.is_floating_point())


def _detach(model: RegionModel, mapped: dict[str, Tensor]) -> None:
    """Copy parameters that still are parts of mapped files, which their owner may write again."""
    for name, parameter in model.named_parameters():
        if name in mapped and parameter.data_ptr() == mapped[name].data_ptr():
            parameter.data = parameter.data.clone()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from reporting what is reported here, and what is as it should be."""
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)

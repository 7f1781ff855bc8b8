"""The language model's layers while they train: compiled, and with less kept for the backward pass.

The norm after the last layer is prepared as they are: by itself it keeps its input in float32.
Kept, of 7 billion weights in bfloat16, in MB a token of all layers:

    none    all that the backward pass reads                          4.2, and 3.0 where frozen
    some    its input, and what matrix products and attention give     3.2
    all     its input; everything is computed again, in a third more time   0.26

Of a picture, GPT4RoI's feature maps keep 896 MB with "none" and 450 else: their norms are computed
again.

A compiled layer keeps no more, with "some" 3.0, by the count of `make bench-static`.
"""

import os
import shutil
from collections.abc import Callable, Iterable
from functools import partial
from importlib.util import find_spec
from typing import Any, Literal

import torch
from torch import nn
from torch.utils.checkpoint import (
    CheckpointPolicy,
    checkpoint,
    create_selective_checkpoint_contexts,
)

Recompute = Literal["none", "some", "all"]

BACKEND = "inductor"  # of torch.compile
# What "some" keeps, by the names of operators: products of matrices, and attention.
_KEPT = ("mm", "addmm", "_varlen_attn", "_scaled_dot_product_")


class TrainingForward:
    """The forward pass of a layer in training; otherwise, e.g. in generation, the plain one."""

    def __init__(self, layer: nn.Module, recompute: Recompute, *, compiled: bool) -> None:
        self._layer = layer
        self._plain = layer.forward
        run: Callable[..., Any] = self._plain
        if recompute != "none":
            run = _recomputed(run, recompute)
        if compiled:
            run = torch.compile(run, dynamic=True, backend=BACKEND)
        self._training = run

    def __call__(self, *args: Any, **inputs: Any) -> Any:
        """Return what the layer makes of its inputs."""
        trains = self._layer.training and torch.is_grad_enabled()
        return (self._training if trains else self._plain)(*args, **inputs)


def prepare_layers(layers: Iterable[nn.Module], recompute: Recompute, *, compiled: bool) -> None:
    """Have layers trained so; done again, it changes nothing.

    To be called when they lie in parts, as that gives a layer another class.
    """
    if recompute == "none" and not compiled:
        return
    for layer in layers:
        if not isinstance(layer.forward, TrainingForward):
            layer.forward = TrainingForward(layer, recompute, compiled=compiled)


def missing_compiler(device: torch.device) -> str | None:
    """Return what `torch.compile` needs for a device and cannot find; None: nothing."""
    if device.type == "cuda" and find_spec("triton") is None:
        return "the package triton"
    names = [os.environ.get("CXX", "g++"), "g++", "clang++", "c++"]
    return None if any(map(shutil.which, names)) else "a C++ compiler, e.g. g++"


def _recomputed(run: Callable[..., Any], recompute: Recompute) -> Callable[..., Any]:
    """Return a forward pass whose backward pass computes again; a function, for the compiler."""
    options: dict[str, Any] = {"use_reentrant": False}
    if recompute == "some":
        options["context_fn"] = partial(create_selective_checkpoint_contexts, _policy)

    def forward(*args: Any, **inputs: Any) -> Any:
        return checkpoint(run, *args, **options, **inputs)

    return forward


def _policy(context: object, operator: Any, *args: Any, **inputs: Any) -> CheckpointPolicy:
    name = str(operator.overloadpacket.__name__)
    if name in _KEPT or name.startswith(_KEPT[-1]):
        return CheckpointPolicy.MUST_SAVE
    return CheckpointPolicy.PREFER_RECOMPUTE

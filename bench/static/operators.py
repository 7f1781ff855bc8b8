"""Observers of the operators of a step: products by shape, their types, and bytes that move."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

LOW, EXACT = torch.bfloat16, torch.float32
_PRODUCTS = {"mm", "addmm", "bmm", "baddbmm"}
_CONVOLUTIONS = {"convolution", "convolution_backward"}
_ATTENTION = "scaled_dot_product"
_EXACT_OPERATORS = {
    *("pow", "rsqrt", "var_mean", "exp", "log", "logsumexp", "_softmax", "_log_softmax"),
    *("_softmax_backward_data", "_log_softmax_backward_data", "nll_loss_forward"),
    "nll_loss_backward",
}
_OF_OPTIMIZER = ("_foreach_", "_fused_adam")


@dataclass
class Operators:
    """What is seen of the operators of a step."""

    products: Counter[tuple[int, int, int]] = field(default_factory=Counter)  # [m, k] by [k, n]
    flops: float = 0.0  # of products and convolutions
    moved: int = 0  # bytes read and written by all else but attention
    faults: Counter[str] = field(default_factory=Counter)  # operators of the wrong type

    def __call__(self, operator: Any, tensors: Sequence[Tensor], result: Any) -> None:
        """Take note of an operator."""
        name = operator.overloadpacket.__name__
        floats = [tensor.dtype for tensor in tensors if tensor.is_floating_point()]
        if name in _PRODUCTS | _CONVOLUTIONS:
            self._product(name, tensors, result)
            if set(floats) != {LOW} and not _is_outer(name, tensors):
                self.faults[f"{name} in {_names(floats)}"] += 1
        elif _ATTENTION in name:
            if floats.count(LOW) < 3:
                self.faults[f"{name} in {_names(floats)}"] += 1
        elif not name.startswith(_OF_OPTIMIZER):
            if name in _EXACT_OPERATORS and set(floats) - {EXACT}:
                self.faults[f"{name} in {_names(floats)}"] += 1
            made = _tensors(result)
            if made and not operator.is_view:  # a question, e.g. for the device, moves nothing
                self.moved += sum(_bytes(tensor) for tensor in [*tensors, *made])

    def _product(self, name: str, tensors: Sequence[Tensor], result: Any) -> None:
        if name in _PRODUCTS:
            first, second = tensors[-2:]
            m, k, n = first.shape[-2], first.shape[-1], second.shape[-1]
            count = first.shape[0] if name in {"bmm", "baddbmm"} else 1
            self.products[m * count, k, n] += 1
            self.flops += 2.0 * count * m * k * n
            return
        forward = name == "convolution"
        weight = tensors[1] if forward else tensors[2]
        output = result if forward else tensors[0]
        wanted = 1 if forward else sum(isinstance(part, Tensor) for part in result[:2])
        self.flops += 2.0 * wanted * output.numel() * weight[0].numel()

    def flops_with(self, tokens: int) -> float:
        """Return the FLOPs of the products that have so many tokens on a side."""
        return sum(
            2.0 * count * m * k * n
            for (m, k, n), count in self.products.items()
            if tokens in (m, k, n)
        )


def _is_outer(name: str, tensors: Sequence[Tensor]) -> bool:
    """Return whether a batched product sums nothing, as positions by frequencies."""
    return name == "bmm" and tensors[0].shape[-1] == 1


def _tensors(result: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _names(dtypes: Sequence[torch.dtype]) -> str:
    return ", ".join(sorted({str(dtype).removeprefix("torch.") for dtype in dtypes}))

"""A device without memory: fake tensors are its own, and all others are the host's.

Operators of the host's tensors alone are computed, so that what the collator has made keeps its
values. Operators with a tensor of the device give shapes and types. Where the host asks the device
for a value, on a GPU it would wait: the place in the code is noted, and the answer is 1.
"""

import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensor,
    FakeTensorMode,
)
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves

Observer = Callable[[Any, Sequence[Tensor], Any], None]  # of an operator, its tensors, its result
HERE = Path(__file__).parents[2]


class WaitForDevice(RuntimeError):
    """An operator whose result's shape the host would have to wait for."""


class PretendedDevice(TorchDispatchMode):
    """The operators of a device without memory, shown to observers."""

    def __init__(self, *observers: Observer) -> None:
        super().__init__()
        self.reads: Counter[str] = Counter()  # values that the host asked for, by place in the code
        self._observers = observers

    def __torch_dispatch__(
        self,
        operator: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if tensors and all(type(tensor) in (Tensor, nn.Parameter) for tensor in tensors):
            with _disable_current_modes():
                return operator(*args, **kwargs)
        if operator.overloadpacket is torch.ops.aten._fused_adamw_:
            return None  # works in place, where the fake one makes copies
        if operator is torch.ops.aten._local_scalar_dense.default:
            self.reads[place()] += 1
            return 1.0 if tensors[0].is_floating_point() else 1
        try:
            result = operator(*args, **kwargs)
        except (DynamicOutputShapeException, DataDependentOutputException) as error:
            raise WaitForDevice(f"{operator} at {place()}") from error
        for observer in self._observers:
            observer(operator, tensors, result)
        return result


@contextmanager
def device(*observers: Observer) -> Iterator[PretendedDevice]:
    """Yield a device whose operators are shown to observers."""
    with (
        FakeTensorMode(allow_non_fake_inputs=True),
        PretendedDevice(*observers) as pretended,
    ):
        yield pretended


def is_on_device(tensor: Tensor) -> bool:
    """Return whether a tensor is the device's."""
    return isinstance(tensor, FakeTensor)


def place() -> str:
    """Return the place in this project's code, outside this folder, that is being executed."""
    for frame in reversed(traceback.extract_stack()):
        path = Path(frame.filename)
        if path.is_relative_to(HERE) and Path(__file__).parent not in path.parents:
            parts = path.relative_to(HERE).parts
            if parts[0] in ("model", "train"):
                return f"{'/'.join(parts)}:{frame.lineno} ({frame.name})"
    return "outside this project"

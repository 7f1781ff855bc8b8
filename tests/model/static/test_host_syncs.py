"""Forward, loss and backward pass never make the host wait for the device.

On the meta device a tensor has no values: a step that would read one (`.item()`, `if tensor:`,
`nonzero`, a boolean index) raises. A tensor that is made on the host and copied makes the host
wait as well; such a copy is looked for among the operators. The steps of the papers' whole models
run on the meta device in `test_flops`; here are tiny ones, of the same classes, on every path.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from model.config import RegionConfig
from model.presets import tiny_gpt4roi, tiny_regiongpt
from model.region_model import RegionModel

BATCH = Callable[..., dict[str, Tensor]]
BUILD = Callable[[RegionConfig], RegionModel]
MODEL = Callable[[str], RegionModel]
SHORTEN = Callable[[RegionConfig], RegionConfig]
CONFIGS = {
    "gpt4roi": tiny_gpt4roi(image_boundaries=True),
    "regiongpt": tiny_regiongpt(),
    "regiongpt_siglip": tiny_regiongpt(tower="siglip_vision_model"),
    "regiongpt_bilinear": tiny_regiongpt(refinement="bilinear"),
    "regiongpt_both": tiny_regiongpt(refinement="deconv_bilinear", refinement_kernel=4),
    "regiongpt_none": tiny_regiongpt(refinement="none"),
}


class CopyFromHost(AssertionError):
    """An operator took values from the host's memory."""


class NoHostValues(TorchFunctionMode):
    """A mode in which a tensor made of Python's or NumPy's values raises."""

    def __torch_function__(
        self,
        function: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if function in (torch.tensor, torch.as_tensor, torch.asarray, torch.from_numpy):
            raise CopyFromHost(function.__name__)
        return function(*args, **(kwargs or {}))


class NoHostTensors(TorchDispatchMode):
    """A mode in which an operator on a host's tensor raises."""

    def __torch_dispatch__(
        self,
        operator: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = operator(*args, **(kwargs or {}))
        for tensor in tree_leaves((args, kwargs, result)):
            if isinstance(tensor, Tensor) and tensor.device.type == "cpu" and tensor.numel():
                raise CopyFromHost(str(operator))
        return result


@pytest.fixture(scope="module")
def on_meta(build_model: BUILD, shorten: SHORTEN) -> Callable[[str], RegionModel]:
    """A function that makes the model of a name, each once: none has values that could change."""

    @cache
    def make(name: str) -> RegionModel:
        with torch.device("meta"):
            return build_model(shorten(CONFIGS[name]))

    return make


def step(model: RegionModel, batch: dict[str, Tensor]) -> None:
    with NoHostValues(), NoHostTensors():
        model(**batch).loss.backward()


@pytest.mark.parametrize("name", CONFIGS)
def test_a_training_step_reads_nothing(on_meta: MODEL, meta_batch: BATCH, name: str) -> None:
    model = on_meta(name)
    step(model, meta_batch(model.config))


@pytest.mark.parametrize("name", ["gpt4roi", "regiongpt"])
def test_other_forms_of_a_batch_are_not_read_either(
    on_meta: MODEL, meta_batch: BATCH, name: str
) -> None:
    model = on_meta(name)
    step(model, meta_batch(model.config, regions=0))
    batch = meta_batch(model.config, packed=False)
    text = ("input_ids", "position_ids", "loss_positions", "loss_targets")
    step(model, {key: batch[key] for key in text})
    labelled = {key: batch[key] for key in batch if not key.startswith("loss_")}
    step(model, {**labelled, "labels": labelled["input_ids"]})
    items = torch.tensor(9, device="meta")
    del labelled["position_ids"]
    step(model, {**labelled, "labels": labelled["input_ids"], "num_items_in_batch": items})


@pytest.mark.parametrize("name", ["gpt4roi", "regiongpt"])
def test_a_checkpointed_step_in_bfloat16_reads_nothing(
    on_meta: MODEL, meta_batch: BATCH, name: str
) -> None:
    model = deepcopy(on_meta(name)).to(torch.bfloat16).train()
    enable = getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)
    enable({"use_reentrant": False})
    step(model, meta_batch(model.config))


def test_the_attention_of_transformers_reads(on_meta: MODEL, meta_batch: BATCH) -> None:
    model = deepcopy(on_meta("regiongpt"))
    model.set_attn_implementation("sdpa")
    with pytest.raises(RuntimeError, match=r"item\(\) cannot be called on meta tensors"):
        step(model, meta_batch(model.config, packed=False))


@contextmanager
def planted(module: nn.Module, read: Callable[[Tensor], Any]) -> Iterator[None]:
    """A read of a module's output, in each forward pass."""

    def after(_module: nn.Module, _inputs: Any, output: Any) -> None:
        read(tree_leaves(output)[0])

    hook = module.register_forward_hook(after)
    try:
        yield
    finally:
        hook.remove()


READS: dict[str, Callable[[Tensor], Any]] = {
    "item": lambda tensor: tensor.sum().item(),
    "if": lambda tensor: bool((tensor > 0).all()),
    "nonzero": lambda tensor: (tensor > 0).nonzero(),
    "boolean index": lambda tensor: tensor[tensor > 0],
    "list": lambda tensor: tensor.tolist(),
    "to the host": lambda tensor: tensor.cpu(),
    "from the host": lambda tensor: torch.tensor([1.0, 2.0], device=tensor.device),
    "host's index": lambda tensor: tensor[..., torch.tensor([0, 1])],
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("part", ["vision_tower", "connector", "language_model.model.norm"])
def test_a_planted_read_is_seen(on_meta: MODEL, meta_batch: BATCH, part: str, read: str) -> None:
    model = on_meta("regiongpt")
    errors = (RuntimeError, NotImplementedError, CopyFromHost)
    with planted(model.get_submodule(part), READS[read]), pytest.raises(errors):
        step(model, meta_batch(model.config))

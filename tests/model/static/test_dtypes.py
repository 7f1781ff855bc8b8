"""In a bfloat16 model matrix products are bfloat16; norms, softmax and loss are float32.

Every operator of a training step is looked at, forward and backward. FakeTensorMode runs the
papers' models at full width without memory; blocks of both towers repeat, so there are few.

Two kinds of operators are float32 inside and bfloat16 outside: attention, whose softmax has its
logarithm of sums in float32, and `native_layer_norm`, which transformers' vision towers use on
bfloat16. For the second, real numbers show it here; and it is counted, so that it stays there.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from model.config import RegionConfig
from model.presets import gpt4roi_7b, regiongpt_7b, tiny_gpt4roi, tiny_regiongpt
from model.region_model import RegionModel

BATCH = Callable[..., dict[str, Tensor]]
BUILD = Callable[[RegionConfig, torch.dtype], RegionModel]
SHORTEN = Callable[[RegionConfig], RegionConfig]
LOW, EXACT = torch.bfloat16, torch.float32

ATTENTION = {
    "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_flash_attention_for_cpu_backward",
}
PRODUCTS = {"mm", "addmm", "bmm", "baddbmm", "convolution", "convolution_backward"}
FUSED_NORMS = {"native_layer_norm", "native_layer_norm_backward"}
NORMS = {"var_mean", "var", "pow", "rsqrt", "sqrt", "native_group_norm", "_fused_rms_norm"}
LOSSES = {
    "exp",
    "log",
    "logsumexp",
    "_softmax",
    "_softmax_backward_data",
    "_log_softmax",
    "_log_softmax_backward_data",
    "nll_loss_forward",
    "nll_loss_backward",
}


@dataclass
class Precision(TorchDispatchMode):
    """A mode that notes operators of the wrong precision, and counts layer norms in bfloat16."""

    faults: list[str] = field(default_factory=list)
    low_norms: int = 0
    seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_dispatch__(
        self,
        operator: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = operator(*args, **(kwargs or {}))
        name = operator.overloadpacket.__name__
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        floats = [tensor for tensor in tensors if tensor.is_floating_point()]
        self._note(name, floats, [tensor.dtype for tensor in floats])
        return result

    def _note(self, name: str, floats: list[Tensor], dtypes: list[torch.dtype]) -> None:
        self.seen.add(name)
        if name in ATTENTION:
            is_right = dtypes.count(LOW) >= 3 and set(dtypes) <= {LOW, EXACT}
            is_right &= dtypes.count(EXACT) == name.endswith("backward")  # the softmax's sums
        elif name in PRODUCTS:
            # Positions times frequencies of the rotary embedding are no sums: one term each.
            is_right = set(dtypes) == {LOW} or (name == "bmm" and floats[0].shape[-1] == 1)
        elif name in FUSED_NORMS:
            self.low_norms += name == "native_layer_norm" and LOW in dtypes
            is_right = True
        elif name in NORMS | LOSSES:
            is_right = set(dtypes) == {EXACT}
        else:
            is_right = not any(word in name for word in ("norm", "softmax", "loss", "attention"))
        if not is_right:
            self.faults.append(f"{name}{[str(dtype) for dtype in dtypes]}")


@pytest.mark.parametrize(
    ("config", "low_norms"),
    [
        # Before the blocks one, two in each that runs, and the box embedding's two.
        (gpt4roi_7b(), 1 + 2 * 2 + 2),
        (regiongpt_7b(), 1 + 2 * 1),
    ],
    ids=["gpt4roi", "regiongpt"],
)
def test_products_are_bfloat16_and_norms_softmax_and_loss_float32(
    build_model: BUILD,
    training_batch: BATCH,
    shorten: SHORTEN,
    config: RegionConfig,
    low_norms: int,
) -> None:
    config = shorten(config)
    mode, precision = FakeTensorMode(), Precision()
    batch = {name: mode.from_tensor(value) for name, value in training_batch(config).items()}
    with mode:
        model = build_model(config, LOW)
        with precision:
            loss = model(**batch).loss
            loss.backward()
    assert loss.dtype == EXACT
    assert precision.faults == []
    assert precision.low_norms == low_norms
    assert precision.seen > ATTENTION | {"mm", "addmm", "bmm", "convolution", "rsqrt", "pow"}
    assert precision.seen > {"_log_softmax", "nll_loss_forward", "nll_loss_backward"}


def faults_of(model: RegionModel, batch: dict[str, Tensor]) -> list[str]:
    with Precision() as precision:
        model(**batch).loss.backward()
    return sorted(set(precision.faults))


PLANTED: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "product": (lambda state: state.float() @ state.float().mT, "bmm"),
    "softmax": (lambda state: state.softmax(-1), "_softmax"),
    "variance": (lambda state: state / (state.var(-1, keepdim=True) + 1).sqrt(), "var"),
    "root": (lambda state: state.pow(2).mean(-1).rsqrt(), "pow"),
    "group norm": (lambda state: nn.functional.group_norm(state.mT, 8).mT, "native_group_norm"),
    "convolution": (lambda state: nn.functional.conv1d(*_float_pair(state)), "convolution"),
    "loss": (lambda state: nn.functional.mse_loss(state, state.detach() + 1), "mse_loss"),
}


def _float_pair(state: Tensor) -> tuple[Tensor, Tensor]:
    return state.float().mT, torch.ones(1, state.shape[-1], 1)


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_seen(build_model: BUILD, training_batch: BATCH, fault: str) -> None:
    model = build_model(tiny_regiongpt(), LOW)
    batch = training_batch(model.config)
    assert faults_of(model, batch) == []
    make, name = PLANTED[fault]
    model.language_model.model.norm.register_forward_hook(
        lambda _module, _inputs, state: state + 0 * make(state).sum().to(LOW)
    )
    faults = faults_of(model, batch)
    assert any(seen.split("[")[0] == name for seen in faults)


def test_a_float32_connector_in_a_bfloat16_model_is_seen(
    build_model: BUILD, training_batch: BATCH, shorten: SHORTEN
) -> None:
    model = build_model(shorten(tiny_gpt4roi()), LOW)
    batch = training_batch(model.config)
    assert faults_of(model, batch) == []
    model.connector.region_encoder.output.float()
    model.connector.region_encoder.output.register_forward_pre_hook(
        lambda _module, inputs: (inputs[0].float(),)
    )
    assert any(seen.startswith(("addmm", "mm")) for seen in faults_of(model, batch))


def test_a_fused_layer_norm_of_bfloat16_is_computed_in_float32() -> None:
    # A mean of 100 and a deviation of 1: in bfloat16 itself nothing of them would be left.
    state = (torch.randn(64, 1024) + 100).to(LOW)
    exact = nn.functional.layer_norm(state.double(), [1024])
    fused = nn.functional.layer_norm(state, [1024])
    assert (fused == exact.to(LOW)).double().mean() > 0.99
    low = (state - state.mean(-1, keepdim=True)) * state.var(-1, keepdim=True).rsqrt()
    assert (low == exact.to(LOW)).double().mean() < 0.5

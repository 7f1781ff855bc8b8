"""The maps of GPT4RoI keep the channels of a cell side by side through all its convolutions.

The region encoder of the paper's size runs in FakeTensorMode, which knows strides as torch does.
"""

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from model.config import GPT4RoIConfig
from model.gpt4roi.region_encoder import RegionEncoder
from model.presets import gpt4roi_7b_released, tiny_gpt4roi

FORWARD, BACKWARD = "convolution", "convolution_backward"
Count = dict[str, int]


@dataclass
class Layouts(TorchDispatchMode):
    """A mode that counts 3 x 3 convolutions and notes their maps of another layout.

    Of a convolution the input and the result are looked at; of its gradient the gradient of the
    result, the input and the gradient of the input.
    """

    counts: Count = field(default_factory=lambda: {FORWARD: 0, BACKWARD: 0})
    others: list[str] = field(default_factory=list)
    copied: int = 0  # values of maps that were only moved in memory

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
        if name == "clone" and result.dim() == 4:
            self.copied += result.numel()
        if name in self.counts:
            self.counts[name] += 1
            maps = args[: 1 if name == FORWARD else 2], result if name == FORWARD else result[0]
            for tensor in tree_leaves(maps):
                if not tensor.is_contiguous(memory_format=torch.channels_last):
                    self.others.append(f"{name} {list(tensor.shape)} {tensor.stride()}")
        return result


def layouts(config: GPT4RoIConfig, *contiguous: str) -> Layouts:
    """The layouts of a training step of the region encoder.

    `contiguous` names modules whose input is put into torch's own layout first.
    """
    torch.set_default_dtype(torch.bfloat16)
    try:
        with nullcontext() if contiguous else FakeTensorMode():
            encoder = RegionEncoder(config)
            for name in contiguous:
                encoder.get_submodule(name).register_forward_pre_hook(
                    lambda _module, inputs: (inputs[0].contiguous(),)
                )
            shape = (2, config.image_tokens, config.vision_config.hidden_size)
            features = [torch.zeros(shape, requires_grad=True) for _ in range(4)]
            boxes, images = torch.zeros(3, 4), torch.zeros(3, dtype=torch.long)
            with Layouts() as mode:
                encoder(features, boxes, images).sum().backward()
    finally:
        torch.set_default_dtype(torch.float32)
    return mode


def test_convolutions_of_the_papers_size_are_channels_last_in_both_passes() -> None:
    mode = layouts(gpt4roi_7b_released())
    assert mode.others == []
    # Five blocks on four levels, and the crops' one.
    assert mode.counts == {FORWARD: 21, BACKWARD: 21}
    # Quarters of channels are gathered for interpolation; no whole level moves between layers.
    levels = 2 * 1024 * (16**2 + 32**2 + 64**2 + 128**2)
    assert mode.copied < 2 * levels


def test_planted_layouts_are_seen() -> None:
    config = tiny_gpt4roi(shuffle_blocks=1)
    mode = layouts(config, "shuffle.blocks.0.conv", "crop_conv")
    assert len([name for name in mode.others if name.startswith("convolution ")]) >= 4 + 1

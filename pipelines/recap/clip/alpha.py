"""Alpha-CLIP: a vision tower that also sees which pixels of a picture belong to a region.

Its authors trained OpenAI's towers further, with a second convolution of patches whose input is a
mask, and publish the state dict of the vision tower alone (https://github.com/SunzeY/AlphaCLIP):

    conv1.weight                                    width, 3, patch, patch
    conv1_alpha.weight                              width, 1, patch, patch; the mask's
    transformer.resblocks.0.attn.in_proj.weight     3 width, width; in open_clip: in_proj_weight
    transformer.resblocks.0.attn.in_proj.bias       3 width; in open_clip: in_proj_bias

All other tensors are called as in open_clip, whose model gives the text tower. A mask is 1 inside
and 0 outside, normalised by the mean 0.5 and the deviation 0.26. Files of low-rank adapters
(`lora_A`) hold other tensors, and are refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from open_clip.factory import load_state_dict
from open_clip.transform import PreprocessCfg, image_transform_v2
from open_clip.transformer import VisionTransformer
from PIL import Image

from schemas.errors import UsageError

_MEAN, _DEVIATION = 0.5, 0.26  # of masks of values 0 to 1
_ALPHA = "conv1_alpha.weight"
_CONV = "conv1.weight"


class _WithMask(torch.nn.Module):
    """Two convolutions of patches, of colours and of a mask, whose sums are the tokens."""

    def __init__(self, colours: Any) -> None:
        super().__init__()
        self.colours = colours
        self.mask = torch.nn.Conv2d(
            1, colours.out_channels, colours.kernel_size, colours.stride, bias=False
        )

    def forward(self, pixels: Any) -> Any:
        """Return the tokens of pictures (N, 4, H, W): red, green, blue and mask."""
        return self.colours(pixels[:, :3]) + self.mask(pixels[:, 3:])


def add_alpha(model: Any, path: str) -> Callable[[Image.Image], Any]:
    """Give a CLIP model the weights and the further input of Alpha-CLIP's vision tower.

    Args:
        model: a model of open_clip with a vision transformer, on its device.
        path: the file of the tower's state dict, which holds tensors only.

    Returns:
        The function that turns an RGBA picture, whose alpha channel is the mask, into the model's
        input: (4, H, W), float32.

    Raises:
        UsageError: the tensors are not those of the model's tower with a mask.
        Exception: as open_clip's `load_state_dict` raises for a file that it cannot read.
    """
    tower = model.visual
    if not isinstance(tower, VisionTransformer):
        raise UsageError(f"{path}: Alpha-CLIP's weights are for the vision transformers of CLIP")
    state = _renamed(load_state_dict(path, device="cpu", weights_only=True), path)
    like = tower.conv1.weight
    tower.conv1 = _WithMask(tower.conv1)
    try:
        tower.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{path}: its tensors do not fit the model: {reason[:300]}") from None
    tower.to(device=like.device, dtype=like.dtype)
    return _preparation(tower.preprocess_cfg)


def _renamed(state: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return the tensors under the names that they have in the changed tower of open_clip."""
    if any("lora_" in name for name in state):
        raise UsageError(f"{path}: holds low-rank adapters; merge them, or take whole weights")
    if _ALPHA not in state:
        raise UsageError(
            f"{path}: holds no {_ALPHA}: expected the state dict of Alpha-CLIP's vision tower"
        )
    names = {_CONV: "conv1.colours.weight", _ALPHA: "conv1.mask.weight"}
    return {
        names.get(name, name.replace(".in_proj.", ".in_proj_")): tensor
        for name, tensor in state.items()
    }


def _preparation(settings: Mapping[str, Any]) -> Callable[[Image.Image], Any]:
    """Return the function that prepares colours as the model does, and the mask beside them."""
    usual = PreprocessCfg(**settings)
    of_mask = replace(usual, mean=(_MEAN,) * 3, std=(_DEVIATION,) * 3)
    colours, mask = (image_transform_v2(each, is_train=False) for each in (usual, of_mask))

    def prepare(picture: Image.Image) -> Any:
        rgba = picture.convert("RGBA")  # without an alpha channel, all of it is the region
        return torch.cat([colours(rgba.convert("RGB")), mask(rgba.getchannel("A"))[:1]])

    return prepare

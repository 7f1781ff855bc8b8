"""The vision tower against transformers' own hidden states."""

import pytest
import torch
from torch import nn
from transformers import CLIPVisionModel, Dinov2Config, SiglipVisionModel

from model.config import GPT4RoIConfig, RegionGPTConfig
from model.presets import tiny_gpt4roi, tiny_regiongpt
from model.vision import VisionTower

CASES = [
    tiny_gpt4roi(),
    tiny_gpt4roi(pyramid_layers=[-1, -11, -3, -2]),
    tiny_regiongpt(),
    tiny_regiongpt(tower="siglip_vision_model"),
    tiny_regiongpt(tower="siglip_vision_model", feature_layer=-1),
]


@pytest.mark.parametrize("config", CASES)
def test_the_features_are_the_hidden_states_that_transformers_numbers_so(
    config: GPT4RoIConfig | RegionGPTConfig,
) -> None:
    tower = VisionTower(config).double().eval()
    pixels = torch.randn(2, 3, 56, 56, dtype=torch.float64)
    states = tower.model(pixels, output_hidden_states=True).hidden_states
    is_clip = isinstance(tower.model, CLIPVisionModel)
    assert is_clip != isinstance(tower.model, SiglipVisionModel)

    features = tower(pixels)

    assert len(features) == len(config.feature_layers)
    for feature, layer in zip(features, config.feature_layers, strict=True):
        assert feature.shape == (2, 16, 64)
        torch.testing.assert_close(feature, states[layer][:, is_clip:], rtol=0, atol=0)


@pytest.mark.parametrize(("layer", "computed"), [(-1, 3), (-2, 2), (-3, 1)])
def test_blocks_after_the_last_feature_are_not_computed(layer: int, computed: int) -> None:
    tower = VisionTower(tiny_regiongpt(feature_layer=layer)).eval()
    ran = []
    for number, block in enumerate(tower.model.encoder.layers):
        block.register_forward_hook(lambda *_, number=number: ran.append(number))
    tower(torch.randn(1, 3, 56, 56))
    assert ran == list(range(computed))
    assert len(tower.model.encoder.layers) == 3


def test_the_blocks_that_are_not_computed_have_no_gradient_and_the_norm_neither() -> None:
    tower = VisionTower(tiny_regiongpt())
    tower(torch.randn(1, 3, 56, 56))[0].square().mean().backward()
    without = {name for name, value in tower.model.named_parameters() if value.grad is None}
    last = {
        f"encoder.layers.2.{name}" for name, _ in tower.model.encoder.layers[2].named_parameters()
    }
    assert without == last | {"post_layernorm.weight", "post_layernorm.bias"}


def test_pixels_are_cast_to_the_type_of_the_tower() -> None:
    tower = VisionTower(tiny_regiongpt()).to(torch.bfloat16).eval()
    (feature,) = tower(torch.randn(1, 3, 56, 56))
    assert feature.dtype == torch.bfloat16


def test_checkpointing_gives_the_same_gradients() -> None:
    tower = VisionTower(tiny_regiongpt()).double().train()
    pixels = torch.randn(1, 3, 56, 56, dtype=torch.float64)
    before = _gradient(tower, pixels)
    # Renamed by transformers 5.24 or before.
    enable = "activation_checkpointing_enable"
    if not hasattr(tower.model, enable):
        enable = "gradient_checkpointing_enable"
    getattr(tower.model, enable)()
    torch.testing.assert_close(_gradient(tower, pixels), before)


def test_a_tower_of_another_kind_is_refused_by_name() -> None:
    config = tiny_regiongpt()
    config.vision_config = Dinov2Config(num_hidden_layers=2)
    with pytest.raises(ValueError, match=r"'dinov2': expected one of clip_vision_model"):
        VisionTower(config)


def _gradient(tower: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    tower.zero_grad()
    tower(pixels)[0].square().mean().backward()
    weight: torch.Tensor = tower.model.encoder.layers[0].mlp.fc1.weight
    return weight.grad.clone()


@pytest.mark.parametrize("layer", [-4, 2])
def test_a_layer_that_a_changed_configuration_lacks_is_refused(layer: int) -> None:
    config = tiny_regiongpt()
    config.feature_layer = layer
    with pytest.raises(ValueError, match=f"hidden state {layer} of a vision tower of 3 layers"):
        VisionTower(config)

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.gpt4roi.region_encoder import RegionEncoder
from model.presets import tiny_gpt4roi

WIDTH, TOWER, SIZE = 8, 12, 3
BOXES = torch.tensor([[0.0, 0.0, 56.0, 56.0], [3.3, 20.1, 30.7, 41.9], [40.0, 2.0, 41.0, 55.0]])
IMAGES = torch.tensor([1, 0, 1])


@dataclass(kw_only=True)
class Paper:
    """The region encoder step by step, in torch's layout, with its own parameters."""

    crop: Callable[..., Tensor]
    pyramid: Callable[..., list[Tensor]]
    shuffle: Callable[..., list[Tensor]]
    parameters: dict[str, Any]

    def __call__(self, features: list[Tensor], boxes: Tensor, images: Tensor) -> Tensor:
        weights = self.parameters
        levels = self.shuffle(self.pyramid(features, weights["pyramid"]), weights["shuffle"], 2)
        rows = []
        for box, image in zip(boxes.tolist(), images.tolist(), strict=True):
            fused: Tensor | float = 0.0
            for k, (level, conv) in enumerate(zip(levels, weights["crops"], strict=True)):
                crop = self.crop(level[image], box, 14 / 2**k, SIZE, 2)
                fused = fused + functional.conv2d(crop[None], *conv, padding=1)
            row = functional.linear(functional.relu(fused).flatten(), *weights["flatten"])
            if "box" in weights:
                part = torch.tensor(box, dtype=torch.float64) / 56
                for linear, norm in weights["box"]:
                    part = functional.relu(functional.linear(part, *linear))
                    part = functional.layer_norm(part, part.shape, *norm)
                row = row + part
            rows.append(functional.linear(row, *weights["output"]))
        return torch.stack(rows)


def make_encoder(**changes: Any) -> RegionEncoder:
    shape = {"pyramid_width": WIDTH, "shuffle_groups": 2, "roi_size": SIZE, "shuffle_blocks": 2}
    config = tiny_gpt4roi(**{**shape, "pyramid_layers": (-2, -5), **changes})
    config.vision_config.hidden_size = TOWER
    encoder = RegionEncoder(config).double()
    for parameter in encoder.parameters():  # no zeros and ones that hide a wrong order
        nn.init.normal_(parameter, std=0.5)
    return encoder


def make_features() -> list[Tensor]:
    return [torch.randn(2, 16, TOWER, dtype=torch.float64, requires_grad=True) for _ in range(2)]


def papers_parameters(encoder: RegionEncoder) -> dict[str, Any]:
    """The parameters in the layout of separate convolutions and channels before cells."""
    depth = len(encoder.levels)
    flatten = encoder.flatten.weight.reshape(WIDTH, SIZE, SIZE, WIDTH).permute(0, 3, 1, 2)
    parameters: dict[str, Any] = {
        "pyramid": [
            {
                "weight": torch.cat([level.features.weight, level.coordinates.weight], dim=1)[
                    :, :, None, None
                ],
                "bias": level.coordinates.bias,
            }
            for level in encoder.levels
        ],
        "shuffle": [
            {"conv": block.conv.weight, "weight": block.norm.weight, "bias": block.norm.bias}
            for block in encoder.shuffle.blocks
        ],
        "crops": [
            (weight, encoder.crop_conv.bias / depth)
            for weight in encoder.crop_conv.weight.chunk(depth, dim=1)
        ],
        "flatten": (flatten.reshape(WIDTH, -1), encoder.flatten.bias),
        "output": (encoder.output.weight, encoder.output.bias),
    }
    box = encoder.box_embedding
    if box is not None:
        parameters["box"] = [
            ((linear.weight, linear.bias), (norm.weight, norm.bias))
            for linear, norm in ((box.hidden, box.hidden_norm), (box.output, box.output_norm))
        ]
    return parameters


@pytest.mark.parametrize("box_embedding", [True, False])
def test_embeddings_and_gradients_are_those_of_the_papers_steps(
    direct_crop: Callable[..., Tensor],
    naive_pyramid: Callable[..., list[Tensor]],
    naive_shuffle: Callable[..., list[Tensor]],
    box_embedding: bool,
):
    encoder = make_encoder(box_embedding=box_embedding)
    paper = Paper(
        crop=direct_crop,
        pyramid=naive_pyramid,
        shuffle=naive_shuffle,
        parameters=papers_parameters(encoder),
    )
    features = make_features()
    result = encoder(features, BOXES, IMAGES)
    expected = paper(features, BOXES, IMAGES)
    torch.testing.assert_close(result, expected, rtol=1e-7, atol=1e-6)  # boxes are float32
    weights = torch.randn_like(result)
    inputs = [*features, *encoder.parameters()]
    torch.testing.assert_close(
        torch.autograd.grad(result, inputs, weights),
        torch.autograd.grad(expected, inputs, weights),
        rtol=1e-6,
        atol=1e-5,
    )


def test_boxes_are_clipped_to_the_picture():
    encoder, features = make_encoder(), make_features()
    beyond = torch.tensor([[-9.0, -0.1, 60.0, 1e4], [3.3, 20.1, 30.7, 41.9], [40.0, 2, 41, 99.0]])
    clipped = torch.tensor([[0.0, 0, 56, 56], [3.3, 20.1, 30.7, 41.9], [40.0, 2, 41, 56]])
    result = encoder(features, beyond, IMAGES)
    assert torch.equal(result, encoder(features, clipped, IMAGES))


def test_a_region_is_the_same_alone_and_among_others():
    encoder, features = make_encoder(), make_features()
    every = encoder(features, BOXES, IMAGES)
    for row, (box, image) in enumerate(zip(BOXES, IMAGES, strict=True)):
        picture = [state[image : image + 1] for state in features]
        alone = encoder(picture, box[None], torch.tensor([0]))
        torch.testing.assert_close(every[row : row + 1], alone)


def test_without_regions_nothing_is_computed_and_every_gradient_is_zero():
    encoder, features = make_encoder(), make_features()
    pictures = []
    encoder.levels[0].register_forward_hook(lambda _, given, __: pictures.append(len(given[0])))
    result = encoder(features, BOXES[:0], IMAGES[:0])
    assert result.shape == (0, 64)
    assert pictures == [0]
    result.sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert not parameter.grad.any(), name


def test_the_first_layers_start_as_in_the_released_code():
    encoder = RegionEncoder(tiny_gpt4roi(pyramid_width=64))
    assert encoder.crop_conv.weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert not encoder.crop_conv.bias.any()
    for block in encoder.shuffle.blocks:
        kaiming = (2 / (64 * 9)) ** 0.5
        assert block.conv.weight.std().item() == pytest.approx(kaiming, rel=0.02)
        assert block.conv.bias is None


def test_half_precision_is_near_the_exact_result():
    encoder, features = make_encoder(), make_features()
    exact = encoder(features, BOXES, IMAGES)
    encoder.bfloat16()
    result = encoder([state.bfloat16() for state in features], BOXES, IMAGES)
    assert result.dtype == torch.bfloat16
    assert (result - exact).norm() < 0.03 * exact.norm()

"""The connector against the paper's formulas in torch's own layers, and as a part of a graph."""

from itertools import product

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.config import RegionGPTConfig
from model.presets import (
    regiongpt_7b,
    regiongpt_siglip_b512,
    regiongpt_siglip_l384,
    regiongpt_siglip_so400m,
    tiny_regiongpt,
)
from model.region_inputs import Regions
from model.regiongpt.connector import RegionGPTConnector

VARIANTS = list(product(["deconv", "bilinear", "deconv_bilinear", "none"], [2, 4]))


def tiny(**changes) -> tuple[RegionGPTConfig, RegionGPTConnector]:
    config = tiny_regiongpt(**changes)
    connector = RegionGPTConnector(config).double()
    for parameter in connector.parameters():
        nn.init.normal_(parameter, std=0.3)
    return config, connector


def random_inputs(config: RegionGPTConfig, regions: int = 3) -> tuple[Tensor, Tensor]:
    patches = torch.randn(2, config.image_tokens, 64, dtype=torch.float64)
    weights = torch.rand(2, regions, config.region_grid, config.region_grid)
    return patches, torch.where(weights > 0.7, weights, 0)


def by_formula(
    config: RegionGPTConfig, state: dict[str, Tensor], patches: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Zv = MLP(AdaPool(Zhres)), Zr = MLP(MaskPool(Zhres)), the map Zhres as [N, C, G, G]."""
    grid, padding = config.grid, config.refinement_kernel // 2 - 1
    maps = patches.transpose(1, 2).unflatten(2, (grid, grid))
    if "deconv" in config.refinement:
        for number in (1, 2):
            parameters = [state[f"refinement.deconv{number}.{x}"] for x in ("weight", "bias")]
            maps = functional.conv_transpose2d(maps, *parameters, stride=2, padding=padding)
            if number == 1:
                norm = [state[f"refinement.norm.{x}"] for x in ("weight", "bias")]
                last = functional.layer_norm(maps.movedim(1, -1), (64,), norm[0], norm[1], 1e-6)
                maps = last.movedim(-1, 1)
            maps = functional.gelu(maps)
    if "bilinear" in config.refinement:
        size = (config.region_grid, config.region_grid)
        maps = functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)
    assert maps.shape[-1] == config.region_grid
    image = nn.AdaptiveAvgPool2d(grid)(maps).flatten(2).transpose(1, 2)
    share = weights.double() / weights.double().sum((2, 3), keepdim=True)
    regions = torch.einsum("nchw,nrhw->nrc", maps, share).flatten(0, 1)

    def mlp(x: Tensor) -> Tensor:
        hidden = functional.gelu(x @ state["projector.0.weight"].T + state["projector.0.bias"])
        return hidden @ state["projector.2.weight"].T + state["projector.2.bias"]

    return mlp(image), mlp(regions)


@pytest.mark.parametrize(("refinement", "kernel"), VARIANTS)
def test_each_refinement_equals_the_formula_with_its_gradients(
    refinement: str, kernel: int
) -> None:
    config, connector = tiny(refinement=refinement, refinement_kernel=kernel)
    patches, weights = random_inputs(config)
    twin = patches.clone().requires_grad_()
    patches.requires_grad_()
    state = {name: x.detach().clone().requires_grad_() for name, x in connector.named_parameters()}
    image, regions = connector((patches,), Regions(weights=weights))
    expected = by_formula(config, state, twin, weights)
    assert (image.shape, regions.shape) == ((2, 16, 64), (6, 64))
    torch.testing.assert_close(image, expected[0])
    torch.testing.assert_close(regions, expected[1])

    pulls = [torch.randn_like(x) for x in expected]
    ((image * pulls[0]).sum() + (regions * pulls[1]).sum()).backward()
    ((expected[0] * pulls[0]).sum() + (expected[1] * pulls[1]).sum()).backward()
    torch.testing.assert_close(patches.grad, twin.grad)
    for name, parameter in connector.named_parameters():
        torch.testing.assert_close(parameter.grad, state[name].grad)


@pytest.mark.parametrize("regions", [None, Regions()])
def test_pictures_without_regions_give_image_tokens_alone(regions: Regions | None) -> None:
    config, connector = tiny()
    patches, _ = random_inputs(config)
    image, none = connector((patches,), regions)
    assert none is None
    image.sum().backward()
    assert all(parameter.grad.any() for parameter in connector.parameters())


@pytest.mark.parametrize(("refinement", "kernel"), VARIANTS)
def test_no_region_at_all_gives_no_row_and_a_gradient(refinement: str, kernel: int) -> None:
    config, connector = tiny(refinement=refinement, refinement_kernel=kernel)
    patches, weights = random_inputs(config, regions=0)
    image, regions = connector((patches,), Regions(weights=weights))
    assert regions.shape == (0, 64)
    (image.sum() + regions.sum()).backward()
    assert all(parameter.grad.any() for parameter in connector.parameters())


def test_rows_of_padding_change_no_gradient() -> None:
    config, connector = tiny()
    patches, weights = random_inputs(config)
    padded = torch.cat([weights, torch.zeros_like(weights)], dim=1)
    gradients = []
    for form in (weights, padded):
        connector.zero_grad()
        regions = connector((patches,), Regions(weights=form))[1].unflatten(0, (2, -1))
        regions[:, :3].square().sum().backward()
        gradients.append([x.grad.clone() for x in connector.parameters()])
        assert regions.isfinite().all()
    for alone, beside in zip(*gradients, strict=True):
        torch.testing.assert_close(alone, beside)


@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (1, 3, 16, 16), (3, 16, 16)])
def test_weights_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    config, connector = tiny()
    patches, _ = random_inputs(config)
    with pytest.raises(ValueError, match=r"expected \[2 pictures, regions, 16, 16\]"):
        connector((patches,), Regions(weights=torch.ones(shape)))


def test_the_paper_s_first_stage_trains_29_372_416_parameters() -> None:
    with torch.device("meta"):
        connector = RegionGPTConnector(regiongpt_7b())
    deconvolution = 1024 * 1024 * 2 * 2 + 1024
    norm = 2 * 1024
    mlp = (1024 * 4096 + 4096) + (4096 * 4096 + 4096)
    count = sum(parameter.numel() for parameter in connector.parameters())
    assert count == 2 * deconvolution + norm + mlp == 29_372_416


def test_names_of_stored_tensors() -> None:
    _, connector = tiny()
    assert sorted(connector.state_dict()) == [
        "projector.0.bias",
        "projector.0.weight",
        "projector.2.bias",
        "projector.2.weight",
        "refinement.deconv1.bias",
        "refinement.deconv1.weight",
        "refinement.deconv2.bias",
        "refinement.deconv2.weight",
        "refinement.norm.bias",
        "refinement.norm.weight",
    ]
    assert sorted(tiny(refinement="none")[1].state_dict()) == sorted(connector.state_dict())[:4]


@pytest.mark.parametrize(
    ("make", "grid", "width"),
    [
        (regiongpt_7b, 24, 1024),
        (regiongpt_siglip_b512, 32, 768),
        (regiongpt_siglip_l384, 24, 1024),
        (regiongpt_siglip_so400m, 27, 1152),
    ],
)
@pytest.mark.parametrize("refinement", ["deconv", "deconv_bilinear"])
def test_presets_work_without_a_look_at_values(make, grid: int, width: int, refinement: str):
    config = make()
    config.refinement = refinement
    cells = grid * {"deconv": 4, "deconv_bilinear": 16}[refinement]
    with torch.device("meta"):  # where there is no value to look at
        connector = RegionGPTConnector(config).bfloat16()
        connector.refinement.gradient_checkpointing = True
        weights = torch.rand(2, 7, cells, cells)
        patches = torch.randn(2, grid**2, width, dtype=torch.bfloat16)
        image, regions = connector((patches,), Regions(weights=weights))
        assert (image.shape, regions.shape) == ((2, grid**2, 4096), (14, 4096))
        assert image.dtype == regions.dtype == torch.bfloat16
        (image.sum() + regions.sum()).backward()


# Without checkpointing, the whole model with "deconv" is looked at in tests/model/static.
@pytest.mark.parametrize(("refinement", "checkpointing"), [("deconv", True), ("bilinear", False)])
def test_the_graph_has_no_break(refinement: str, checkpointing: bool) -> None:
    config, connector = tiny(refinement=refinement)
    if connector.refinement is not None:
        connector.refinement.gradient_checkpointing = checkpointing
    patches, weights = random_inputs(config)
    explained = torch._dynamo.explain(connector)((patches,), Regions(weights=weights))
    assert (explained.graph_count, explained.graph_break_count) == (1, 0)
    torch._dynamo.reset()


def test_bfloat16_stays_near_float64() -> None:
    config, connector = tiny()
    patches, weights = random_inputs(config)
    expected = connector((patches,), Regions(weights=weights))
    results = connector.bfloat16()((patches.bfloat16(),), Regions(weights=weights))
    for result, wanted in zip(results, expected, strict=True):
        assert result.dtype == torch.bfloat16
        assert (result - wanted).norm() / wanted.norm() < 0.02

"""The refinement against torch's own layers, float64; its order of cells, and its memory."""

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from model.regiongpt.cell_order import by_patch, in_raster
from model.regiongpt.refinement import (
    ChannelNorm,
    Deconvolution,
    Refinement,
)

GRID, WIDTH = 3, 5


def test_cells_of_a_patch_follow_its_quarters() -> None:
    numbers = torch.arange(2 * 8 * 8).reshape(2, 8, 8, 1)  # two maps of 2 x 2 patches
    second = by_patch(numbers, grid=2, halvings=2)[1, 1, :, 0] - 64 - 4  # the patch top right
    rows = [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    for y, row in enumerate(rows):
        for x, position in enumerate(row):
            assert second[position] == 8 * y + x


@pytest.mark.parametrize("halvings", [0, 1, 2, 3])
def test_the_two_orders_are_each_other_s_inverse(halvings: int) -> None:
    side = GRID * 2**halvings
    cells = torch.randn(2, side, side, WIDTH)
    patches = by_patch(cells, GRID, halvings)
    assert patches.shape == (2, GRID**2, 4**halvings, WIDTH)
    assert torch.equal(in_raster(patches, GRID, halvings), cells)


def channels_first(cells: Tensor) -> Tensor:
    """[N, C, G, G] from cells of patches [N, P, C]."""
    return cells.transpose(1, 2).unflatten(2, (GRID, GRID))


def test_a_matrix_product_equals_the_deconvolution_with_its_gradients() -> None:
    layer = Deconvolution(WIDTH).double()
    reference = nn.ConvTranspose2d(WIDTH, WIDTH, kernel_size=2, stride=2).double()
    reference.load_state_dict(layer.state_dict())
    patches = torch.randn(2, GRID**2, WIDTH, dtype=torch.float64, requires_grad=True)
    twin = patches.detach().clone().requires_grad_()

    cells = layer(patches.unsqueeze(2))
    expected = reference(channels_first(twin))
    raster = in_raster(cells, GRID, 1).permute(0, 3, 1, 2)
    torch.testing.assert_close(raster, expected)

    pull = torch.randn_like(expected)
    (raster * pull).sum().backward()
    (expected * pull).sum().backward()
    torch.testing.assert_close(patches.grad, twin.grad)
    torch.testing.assert_close(layer.weight.grad, reference.weight.grad)
    torch.testing.assert_close(layer.bias.grad, reference.bias.grad)


def refined_by_torch(layers: Refinement, patches: Tensor, kernel: int) -> Tensor:
    """The map [N, C, 4g, 4g] in the usual layout, normalisation and GELU by their formulas."""

    def gelu(x: Tensor) -> Tensor:
        return x * 0.5 * (1 + torch.erf(x / 2**0.5))

    state = layers.state_dict()
    padding = {2: 0, 4: 1}[kernel]
    first = functional.conv_transpose2d(
        channels_first(patches),
        state["deconv1.weight"],
        state["deconv1.bias"],
        stride=2,
        padding=padding,
    )
    centred = first - first.mean(1, keepdim=True)
    normal = centred / (centred.pow(2).mean(1, keepdim=True) + 1e-6).sqrt()
    scale, shift = (state[f"norm.{name}"][:, None, None] for name in ("weight", "bias"))
    second = functional.conv_transpose2d(
        gelu(normal * scale + shift),
        state["deconv2.weight"],
        state["deconv2.bias"],
        stride=2,
        padding=padding,
    )
    return gelu(second)


@pytest.mark.parametrize("kernel", [2, 4])
def test_refinement_equals_torch_s_layers(kernel: int) -> None:
    layers = Refinement(WIDTH, GRID, kernel).double()
    nn.init.normal_(layers.norm.weight)
    nn.init.normal_(layers.norm.bias)
    patches = torch.randn(2, GRID**2, WIDTH, dtype=torch.float64)
    raster = in_raster(layers(patches), GRID, 2).permute(0, 3, 1, 2)
    torch.testing.assert_close(raster, refined_by_torch(layers, patches, kernel))


class Types(TorchDispatchMode):
    """The types of the first floating input of each operation."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, set[torch.dtype]] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        tensors = [x for x in args if isinstance(x, Tensor) and x.is_floating_point()]
        self.seen.setdefault(func.overloadpacket.__name__, set()).update(x.dtype for x in tensors)
        return func(*args, **(kwargs or {}))


def test_products_are_in_bfloat16_and_the_norm_in_float32() -> None:
    layers = Refinement(WIDTH, GRID, 2).bfloat16()
    with Types() as types:
        cells = layers(torch.randn(2, GRID**2, WIDTH).bfloat16())
        cells.sum().backward()
    products = types.seen["addmm"] | types.seen["mm"]
    assert (products, cells.dtype) == ({torch.bfloat16}, torch.bfloat16)
    assert types.seen["native_layer_norm"] == {torch.float32}
    assert types.seen["native_layer_norm_backward"] == {torch.float32}


def test_the_norm_keeps_what_bfloat16_would_lose() -> None:
    norm = ChannelNorm(64, eps=1e-6)
    x = 100 + torch.randn(8, 64)
    x = x.bfloat16().float()
    torch.testing.assert_close(norm.bfloat16()(x.bfloat16()), norm.float()(x).bfloat16())


def saved_bytes(layers: Refinement, patches: Tensor) -> int:
    """Bytes that the forward pass keeps for the backward pass, beside parameters."""
    parameters = {x.untyped_storage().data_ptr() for x in layers.parameters()}
    saved: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        cells = layers(patches)
    assert cells.requires_grad
    return sum(saved.values())


def test_checkpointing_keeps_the_input_alone_and_changes_no_gradient() -> None:
    layers = Refinement(16, 8, 2)
    patches = torch.randn(2, 64, 16)
    plain = saved_bytes(layers, patches)
    layers(patches).square().sum().backward()
    gradients = [x.grad.clone() for x in layers.parameters()]

    layers.gradient_checkpointing = True
    assert saved_bytes(layers, patches) == patches.nbytes < plain / 20
    layers.zero_grad()
    layers(patches).square().sum().backward()
    for gradient, parameter in zip(gradients, layers.parameters(), strict=True):
        assert torch.equal(gradient, parameter.grad)
    assert saved_bytes(layers.eval(), patches) == plain

"""What a GPU would be asked to do, seen without one: shapes, precisions, order in memory."""

from collections import defaultdict
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from model.gpt4roi import GPT4RoIConnector
from model.presets import gpt4roi_7b_released, tiny_gpt4roi
from model.region_inputs import Regions

PRODUCTS = {"addmm", "bmm", "convolution", "convolution_backward", "mm"}


class Precisions(TorchDispatchMode):
    """The precisions of the first tensor of every operator that runs."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, set[torch.dtype]] = defaultdict(set)

    def __torch_dispatch__(
        self, operator: Any, types: Any, given: Any = (), named: Any = None
    ) -> Any:
        tensors = [value for value in given if isinstance(value, Tensor)]
        self.seen[operator.__name__.split(".")[0]].update(tensor.dtype for tensor in tensors[:1])
        return operator(*given, **(named or {}))


@pytest.fixture
def bfloat16_parameters():
    torch.set_default_dtype(torch.bfloat16)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("bfloat16_parameters")
def test_the_7b_preset_goes_forward_and_back_without_asking_for_a_value():
    # Tensors without values: whatever needs one, and would wait for a GPU, is an error.
    # With two of the five blocks of scale shuffle, which are all alike.
    pictures, count, blocks = 2, 5, 2
    config = gpt4roi_7b_released()
    config.shuffle_blocks = blocks
    maps: list[Tensor] = []
    with FakeTensorMode():
        connector = GPT4RoIConnector(config)
        for module in connector.modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(lambda _, given, made: maps.extend([given[0], made]))
        features = tuple(torch.empty(pictures, 256, 1024) for _ in range(4))
        boxes = torch.empty(count, 4, dtype=torch.float32)
        regions = Regions(boxes=boxes, images=torch.empty(count, dtype=torch.int64))
        with Precisions() as precisions, FlopCounterMode(display=False) as flops:
            tokens, rows = connector(features, regions)
            forward, operators = dict(flops.flop_counts["Global"]), set(precisions.seen)
            (tokens.sum() + rows.sum()).backward()

    assert tokens.shape == (2, 258, 4096)  # between the vectors around them
    assert rows.shape == (count, 4096)
    assert rows.dtype == torch.bfloat16
    trained = dict(connector.region_encoder.named_parameters())
    assert [name for name, parameter in trained.items() if parameter.grad is None] == []
    assert len(maps) == 2 * (blocks * 4 + 1)
    used = {name: kinds for name, kinds in precisions.seen.items() if name in PRODUCTS}
    assert used == {name: {torch.bfloat16} for name in PRODUCTS}
    assert all(every.is_contiguous(memory_format=torch.channels_last) for every in maps)
    assert "clone" not in operators  # which reorders memory
    assert precisions.seen["var_mean"] == {torch.float32}
    assert precisions.seen["roi_align"] == {torch.float32}
    assert forward == expected_flops(pictures, count, blocks)


def expected_flops(pictures: int, regions: int, blocks: int) -> dict[Any, int]:
    """By hand, 2 for a multiplication and an addition."""
    width, sides = 1024, (16, 32, 64, 128)
    shuffle = blocks * sum(side**2 for side in sides) * 9 * width**2
    crops = 14 * 14 * 9 * 4 * width**2
    resize = sum(16 * 16 * side + 16 * side**2 for side in sides[1:]) * width
    quarter = width // 4
    for coarse, fine in ((16, 32), (32, 64), (64, 128)):
        up = coarse * fine * coarse + coarse * fine * fine
        down = fine * coarse * fine + fine * coarse * coarse
        resize += blocks * (up + down) * quarter
    patches = 256 * pictures
    levels = 4 * patches * width * width
    linears = 4 * 256 * 2 * width  # coordinates, the same for every picture
    linears += patches * width * 4096  # the projector
    box = 4 * 256 + 256 * width
    linears += regions * (14 * 14 * width * width + box + width * 4096)
    aten = torch.ops.aten
    return {
        aten.convolution: 2 * (pictures * shuffle + regions * crops),
        aten.bmm: 2 * pictures * resize,
        aten.mm: 2 * levels,
        aten.addmm: 2 * linears,
    }


def test_layer_norm_of_bfloat16_rounds_once_at_its_end():
    values = (torch.randn(16, 256) + 50).bfloat16()
    norm = nn.LayerNorm(256)
    exact = norm(values.float()).bfloat16()
    assert torch.equal(norm.bfloat16()(values), exact)


# With regions and without checkpointing, the whole model is looked at in tests/model/static.
@pytest.mark.parametrize(("count", "checkpointing"), [(0, False), (3, True)])
def test_the_compiler_makes_one_graph(count: int, checkpointing: bool):
    torch._dynamo.reset()
    connector = GPT4RoIConnector(tiny_gpt4roi(shuffle_blocks=1))
    connector.region_encoder.shuffle.gradient_checkpointing = checkpointing
    features = tuple(torch.randn(2, 16, 64) for _ in range(4))
    boxes = torch.tensor([[3.0, 5.0, 20.0, 30.0]]).repeat(count, 1)
    images = torch.zeros(count, dtype=torch.int64)

    def run(features: tuple[Tensor, ...], boxes: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
        return connector(features, Regions(boxes=boxes, images=images))

    explained = torch._dynamo.explain(run)(features, boxes, images)
    assert explained.break_reasons == []
    assert explained.graph_count == 1

"""FLOPs of the papers' models, counted by torch and added up by hand: they agree to the last one.

A product of [m, k] and [k, n] is 2 m k n. On the meta device attention is taken apart into batched
products, which are counted whole: of causal rows, half of it is masked, and a fused kernel
computes the scores a second time in the backward pass. So T x T attention, counted as 3 forward
passes, costs 3.5 / 2 of one.

The meta device has no values, so that a step which reads one raises: here none does.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from model.config import RegionConfig
from model.flops import RowSizes, training_flops
from model.presets import gpt4roi_7b, regiongpt_7b
from model.region_inputs import Regions
from model.region_model import RegionModel
from model.stages import freeze_for

MODEL = Callable[..., RegionModel]
COUNT = Callable[[Callable[[], object]], dict[str, int]]
BATCH = Callable[..., dict[str, Tensor]]

BLOCK = 4 * 4096 * 4096 + 3 * 4096 * 11008  # multiplications of one token in a block of Llama 7B
PYRAMID = (16, 32, 64, 128)  # cells on a side


def product(m: int, k: int, n: int) -> int:
    return 2 * m * k * n


def tower(blocks: int, tokens: int, width: int) -> dict[str, int]:
    """A vision transformer, forward; its patches are one less than its tokens, its MLP 4 wide."""
    linear = product(tokens, width, 4 * width) + 2 * product(tokens, width, 4 * width)
    return {
        "convolutions": product(tokens - 1, 3 * 14 * 14, width),
        "products": blocks * linear,
        "batched": blocks * 2 * product(tokens, width, tokens),
    }


def resized(channels: int, sizes: list[tuple[int, int]]) -> int:
    """Square maps between two sizes, as two products with a matrix: rows, then columns."""
    rows = sum(product(after, before, before * channels) for before, after in sizes)
    return rows + sum(product(after, before, after * channels) for before, after in sizes)


SHUFFLED = resized(256, [*pairwise(PYRAMID), *pairwise(PYRAMID[::-1])])
SHUFFLE_CONVOLUTION = product(sum(side**2 for side in PYRAMID), 9 * 1024, 1024)
SHUFFLE_CONVOLUTIONS = 5 * SHUFFLE_CONVOLUTION
PYRAMID_RESIZED = resized(1024, [(16, side) for side in PYRAMID[1:]])


def pyramid_products(vision_width: int) -> int:
    """The 1 x 1 convolutions of four levels at the patches' resolution: features, then x and y."""
    return 4 * (product(256, vision_width, 1024) + product(256, 2, 1024))


def region_products(regions: int) -> dict[str, int]:
    linear = product(1, 196 * 1024, 1024) + product(1, 1024, 4096)
    box = product(1, 4, 256) + product(1, 256, 1024)
    return {
        "convolutions": regions * product(196, 9 * 4096, 1024),
        "products": regions * (linear + box),
    }


@pytest.mark.parametrize(
    ("preset", "blocks", "tokens", "width", "teraflops"),
    [("regiongpt_7b", 23, 577, 1024, 0.366), ("gpt4roi_7b", 31, 257, 1280, 0.324)],
)
def test_vision_tower(
    meta_model: MODEL,
    count_flops: COUNT,
    preset: str,
    blocks: int,
    tokens: int,
    width: int,
    teraflops: float,
) -> None:
    model = meta_model(preset)
    size = model.config.image_size
    pixels = torch.empty(1, 3, size, size, device="meta")
    counts = count_flops(lambda: model.vision_tower(pixels))
    assert counts == tower(blocks, tokens, width)
    if preset == "regiongpt_7b":
        assert round((counts["products"] + counts["convolutions"]) / 1e9, 1) == 334.7
    assert round(sum(counts.values()) / 1e12, 3) == teraflops


def test_refinement_and_shared_mlp(meta_model: MODEL, count_flops: COUNT) -> None:
    connector = meta_model("regiongpt_7b").connector
    regions, width = 8, 1024
    features = (torch.empty(1, 576, width, device="meta"),)
    weights = torch.empty(1, regions, 96, 96, device="meta")
    counts = count_flops(lambda: connector(features, Regions(weights=weights)))
    first, second = product(576, width, 4 * width), product(4 * 576, width, 4 * width)
    mlp = product(576 + regions, width, 4096) + product(576 + regions, 4096, 4096)
    assert counts == {
        "products": first + second + mlp,
        "batched": product(regions, 96 * 96, width),  # mask pooling
        "convolutions": 0,
    }
    rounded = [round(part / 1e9, 1) for part in (first, second, mlp)]
    assert rounded == [4.8, 19.3, 24.5]


@pytest.mark.parametrize(("preset", "width"), [("gpt4roi_7b", 1280), ("gpt4roi_7b_released", 1024)])
def test_region_encoder(meta_model: MODEL, count_flops: COUNT, preset: str, width: int) -> None:
    encoder = meta_model(preset).connector.region_encoder
    regions = 7
    features = [torch.empty(1, 256, width, device="meta") for _ in PYRAMID]
    boxes, images = torch.empty(regions, 4, device="meta"), torch.empty(regions, device="meta")
    counts = count_flops(lambda: encoder(features, boxes, images))
    each = region_products(regions)
    assert counts == {
        "convolutions": SHUFFLE_CONVOLUTIONS + each["convolutions"],
        "products": pyramid_products(width) + each["products"],
        "batched": PYRAMID_RESIZED + 5 * SHUFFLED,
    }
    assert round(SHUFFLE_CONVOLUTIONS / 1e12, 2) == 2.05
    assert round(sum(each.values()) / regions / 1e9, 1) == 15.2
    assert width == 1024 or round(pyramid_products(width) / 1e9, 1) == 2.7
    assert (PYRAMID_RESIZED + 5 * SHUFFLED) / SHUFFLE_CONVOLUTIONS < 0.01


def test_a_token_of_the_language_model() -> None:
    forward = 32 * product(1, BLOCK, 1)
    assert round(forward / 1e9, 2) == 12.95
    assert round(2 * forward / 1e9, 1) == 25.9  # frozen: the gradient of its input alone
    assert round(3 * forward / 1e9, 1) == 38.9


def language_model(tokens: int, answers: int, *, passes: int, blocks: int = 32) -> dict[str, int]:
    """Llama 7B and its head at the answers; `passes` is 2 where it is frozen and 3 where not."""
    linear = blocks * product(tokens, BLOCK, 1) + product(answers, 4096, 32000)
    return {
        "products": passes * linear,
        "batched": 3 * blocks * 2 * product(tokens, 4096, tokens),
    }


def regiongpt_connector(regions: int) -> dict[str, int]:
    """A training step's; the first deconvolution's input, the frozen tower's, has no gradient."""
    first, second = product(576, 1024, 4096), product(4 * 576, 1024, 4096)
    mlp = product(576 + regions, 1024, 4096) + product(576 + regions, 4096, 4096)
    pooling = product(regions, 96 * 96, 1024)
    return {"products": 2 * first + 3 * second + 3 * mlp, "batched": 2 * pooling}


def total(*parts: dict[str, int]) -> dict[str, int]:
    kinds = ("products", "batched", "convolutions")
    return {kind: sum(part.get(kind, 0) for part in parts) for kind in kinds}


def times(factor: int, part: dict[str, int]) -> dict[str, int]:
    return {kind: factor * count for kind, count in part.items()}


def rotation(model: RegionModel, tokens: int, count: COUNT) -> dict[str, int]:
    """The angles of positions: transformers before 5.20 makes them by a product, later by none."""
    positions = torch.empty(1, tokens, dtype=torch.long, device="meta")
    return count(lambda: model.language_model.model.rotary_emb(positions.float(), positions))


def step(model: RegionModel, batch: dict[str, Tensor]) -> None:
    model.zero_grad()
    model(**batch).loss.backward()


@pytest.mark.parametrize("preset", ["regiongpt_7b", "gpt4roi_7b"])
def test_the_language_model_has_32_blocks_of_the_same_products(
    meta_model: MODEL, preset: str
) -> None:
    blocks = meta_model(preset).language_model.model.layers
    sizes = [[(name, weight.shape) for name, weight in each.named_parameters()] for each in blocks]
    assert len(sizes) == 32
    assert all(each == sizes[0] for each in sizes)
    assert sum(shape.numel() for _, shape in sizes[0] if len(shape) == 2) == BLOCK


# With a few of the blocks of the language model and of scale shuffle, which are all alike.
@pytest.mark.parametrize(
    ("stage", "passes", "blocks"), [("regiongpt_pretrain", 2, 2), ("regiongpt_finetune", 3, 1)]
)
def test_a_training_step_of_regiongpt(
    meta_model: MODEL, count_flops: COUNT, meta_batch: BATCH, stage: str, passes: int, blocks: int
) -> None:
    model = meta_model("regiongpt_7b", blocks)
    freeze_for(model, stage)
    batch = meta_batch(model.config, regions=3, words=30, answer=5)
    counts = count_flops(lambda: step(model, batch))
    tokens = batch["input_ids"].shape[1]
    language = language_model(tokens, 2 * 5, passes=passes, blocks=blocks)
    angles = rotation(model, tokens, count_flops)
    assert counts == total(tower(23, 577, 1024), regiongpt_connector(3), language, angles)


@pytest.mark.parametrize(
    ("stage", "passes", "blocks"), [("gpt4roi_stage1", 2, 2), ("gpt4roi_stage2", 3, 1)]
)
def test_a_training_step_of_gpt4roi(
    meta_model: MODEL, count_flops: COUNT, meta_batch: BATCH, stage: str, passes: int, blocks: int
) -> None:
    model = meta_model("gpt4roi_7b", blocks)
    freeze_for(model, stage)
    regions = 5
    batch = meta_batch(model.config, regions=regions, words=30, answer=5)
    tokens = batch["input_ids"].shape[1]
    counts = count_flops(lambda: step(model, batch))
    # On the frozen tower and on boxes, no gradient of inputs; of resizing, none of its matrices.
    # In the first stage the projector is frozen as well.
    projector = product(256, 1280, 4096) * (passes - 1)
    first = 2 * pyramid_products(1280) + 2 * regions * product(1, 4, 256)
    rest = times(3, region_products(regions))
    rest["products"] -= 3 * regions * product(1, 4, 256)
    pyramid = {
        "products": projector + first,
        "batched": 2 * (PYRAMID_RESIZED + blocks * SHUFFLED),
        "convolutions": 3 * blocks * SHUFFLE_CONVOLUTION,
    }
    language = language_model(tokens, 2 * 5, passes=passes, blocks=blocks)
    angles = rotation(model, tokens, count_flops)
    assert counts == total(tower(31, 257, 1280), pyramid, rest, language, angles)


@pytest.mark.parametrize(
    ("tokens", "answers", "passes", "teraflops"), [(704, 60, 2, 19.2), (896, 220, 3, 36.2)]
)
def test_a_sample_of_regiongpt(tokens: int, answers: int, passes: int, teraflops: float) -> None:
    language = language_model(tokens, answers, passes=passes)
    # The counter: 2 T T D for scores and as much for values, forward, and twice that backward.
    assert language["batched"] == 32 * 12 * tokens**2 * 4096
    # A fused kernel: half of the forward pass, as rows are causal, and 2.5 times that backward.
    fused = 32 * 2 * tokens**2 * 4096 * 3.5
    assert fused == language["batched"] * 7 / 12
    vision = total(tower(23, 577, 1024), regiongpt_connector(8))
    sample = language["products"] + fused + sum(vision.values())
    assert round(sample / 1e12, 1) == teraflops


def test_a_planted_product_is_counted(meta_model: MODEL, count_flops: COUNT) -> None:
    model = meta_model("gpt4roi_7b_released")
    pixels = torch.empty(1, 3, 224, 224, device="meta")
    square = torch.empty(1024, 1024, device="meta")
    hook = model.vision_tower.register_forward_hook(
        lambda _, __, features: tuple(state.flatten(0, 1) @ square for state in features)
    )
    counts = count_flops(lambda: model.vision_tower(pixels))
    hook.remove()
    planted = {"products": 4 * product(256, 1024, 1024)}
    assert counts == total(tower(23, 257, 1024), planted)


@pytest.mark.parametrize(
    ("stage", "passes"),
    [
        ("regiongpt_pretrain", 2),
        ("regiongpt_finetune", 3),
        ("gpt4roi_stage1", 2),
        ("gpt4roi_stage2", 3),
    ],
)
def test_the_operations_of_a_row_are_these_without_what_interpolates(
    stage: str, passes: int
) -> None:
    tokens, answers, regions = 704, 60, 5
    language = language_model(tokens, answers, passes=passes)
    language["batched"] = language["batched"] * 7 // 12
    if stage.startswith("regiongpt"):
        config: RegionConfig = regiongpt_7b()
        vision = total(tower(23, 577, 1024), regiongpt_connector(regions))
    else:
        config = gpt4roi_7b()
        rest = times(3, region_products(regions))
        rest["products"] -= regions * product(1, 4, 256)
        rest["products"] += product(256, 1280, 4096) * (passes - 1) + 2 * pyramid_products(1280)
        vision = total(tower(31, 257, 1280), rest, {"convolutions": 3 * SHUFFLE_CONVOLUTIONS})
    expected = sum(total(vision, language).values())
    one = {name: np.array([n]) for name, n in (("tokens", tokens), ("supervised", answers))}
    sizes = RowSizes(**one, pictures=np.array([1]), regions=np.array([regions]))
    (counted,) = training_flops(config, stage, sizes)
    assert counted == pytest.approx(expected, rel=1e-12)

"""The numbers of trained parameters of the papers' models, added up by hand from layer shapes."""

from collections.abc import Callable

import pytest
import torch

from model.presets import gpt4roi_7b
from model.region_model import RegionModel
from model.stages import ParameterCounts, freeze_for

MODEL = Callable[[str], RegionModel]


def linear(inputs: int, outputs: int, *, bias: bool = True) -> int:
    return inputs * outputs + outputs * bias


def conv3(inputs: int, outputs: int, *, bias: bool) -> int:
    return 9 * inputs * outputs + outputs * bias


def vision_transformer(layers: int, width: int, positions: int) -> int:
    """CLIP's: embeddings, two norms around the blocks, each block with two norms."""
    embeddings = linear(3 * 14 * 14, width, bias=False) + width + positions * width
    attention = 4 * linear(width, width)
    mlp = linear(width, 4 * width) + linear(4 * width, width)
    return embeddings + 2 * 2 * width + layers * (attention + mlp + 2 * 2 * width)


def llama_7b() -> int:
    block = 4 * linear(4096, 4096, bias=False) + 3 * linear(4096, 11008, bias=False) + 2 * 4096
    return 2 * 32000 * 4096 + 32 * block + 4096


def region_encoder(vision_width: int) -> int:
    pyramid = 4 * linear(vision_width + 2, 1024)  # 1 x 1 convolutions; x and y beside the channels
    shuffle = 5 * (conv3(1024, 1024, bias=False) + 2 * 1024)
    crops = conv3(4 * 1024, 1024, bias=True)  # of the four convolutions, one bias: they are added
    flatten = linear(1024 * 14 * 14, 1024)
    box = linear(4, 256) + 2 * 256 + linear(256, 1024) + 2 * 1024
    return pyramid + shuffle + crops + flatten + box + linear(1024, 4096)


def regiongpt_connector() -> int:
    deconvolutions = 2 * (4 * 1024 * 1024 + 1024) + 2 * 1024  # and the norm between them
    return deconvolutions + linear(1024, 4096) + linear(4096, 4096)


LLAMA = 6_738_415_616
CLIP_L_336, CLIP_L_224, CLIP_H_224 = 303_507_456, 303_179_776, 630_766_080
PROJECTOR_L, PROJECTOR_H, BOUNDARIES = 4_198_400, 5_246_976, 2 * 4096

EXPECTED = [
    ("regiongpt_7b", "regiongpt_pretrain", 29_372_416, CLIP_L_336 + LLAMA),
    ("regiongpt_7b", "regiongpt_finetune", 29_372_416 + LLAMA, CLIP_L_336),
    (
        "gpt4roi_7b_released",
        "gpt4roi_stage1",
        299_139_840,
        CLIP_L_224 + LLAMA + PROJECTOR_L + BOUNDARIES,
    ),
    (
        "gpt4roi_7b_released",
        "gpt4roi_stage2",
        299_139_840 + LLAMA + PROJECTOR_L + BOUNDARIES,
        CLIP_L_224,
    ),
    ("gpt4roi_7b", "gpt4roi_stage1", 300_188_416, CLIP_H_224 + LLAMA + PROJECTOR_H),
    ("gpt4roi_7b", "gpt4roi_stage2", 300_188_416 + LLAMA + PROJECTOR_H, CLIP_H_224),
]


def test_the_numbers_are_sums_over_layers() -> None:
    assert regiongpt_connector() == 29_372_416
    assert region_encoder(1024) == 299_139_840
    assert region_encoder(1280) == 300_188_416
    assert llama_7b() == LLAMA
    assert vision_transformer(24, 1024, 24 * 24 + 1) == CLIP_L_336
    assert vision_transformer(24, 1024, 16 * 16 + 1) == CLIP_L_224
    assert vision_transformer(32, 1280, 16 * 16 + 1) == CLIP_H_224
    assert linear(1024, 4096) == PROJECTOR_L
    assert linear(1280, 4096) == PROJECTOR_H


@pytest.mark.parametrize(("preset", "stage", "trained", "frozen"), EXPECTED)
def test_each_stage_trains_that_many(
    meta_model: MODEL, preset: str, stage: str, trained: int, frozen: int
) -> None:
    assert freeze_for(meta_model(preset), stage) == ParameterCounts(trained, frozen)


def test_the_box_embedding_has_its_switch(build_model: Callable[..., RegionModel]) -> None:
    config = gpt4roi_7b()
    config.box_embedding = False
    with torch.device("meta"):
        model = build_model(config)
    box = linear(4, 256) + 2 * 256 + linear(256, 1024) + 2 * 1024
    assert freeze_for(model, "gpt4roi_stage1").trained == 300_188_416 - box == 299_921_408

"""The sizes of examples, and the floor that follows from them."""

import numpy as np
import pytest

from model.batch import Example
from model.flops import training_flops
from model.presets import gpt4roi_7b, regiongpt_7b
from train.bench.floor import adamw_seconds, sizes_of


def test_sizes_are_those_of_each_example():
    text = Example(input_ids=[1, 2, 3], labels=[-100, 2, 3])
    pictured = Example(
        input_ids=[1] * 9,
        labels=[-100] * 8 + [4],
        pixels=np.zeros((4, 4, 3), np.uint8),
        region_boxes=np.zeros((5, 4), np.float32),
    )
    masks = np.zeros((2, 4, 4), np.float32)
    masked = Example(input_ids=[1], pixels=pictured.pixels, region_weights=masks)
    sizes = sizes_of([text, pictured, masked])
    assert sizes.tokens.tolist() == [3, 9, 1]
    assert sizes.supervised.tolist() == [2, 1, 0]
    assert sizes.pictures.tolist() == [0, 1, 1]
    assert sizes.regions.tolist() == [0, 5, 2]


@pytest.mark.parametrize(
    ("config", "stage", "tokens", "supervised", "regions", "teraflops"),
    [
        (regiongpt_7b(), "regiongpt_pretrain", 704, 60, 8, 19.2),
        (regiongpt_7b(), "regiongpt_finetune", 896, 220, 8, 36.2),
        (gpt4roi_7b(), "gpt4roi_stage1", 700, 60, 10, 25.6),
        (gpt4roi_7b(), "gpt4roi_stage2", 700, 60, 10, 34.7),
    ],
)
def test_a_row_of_the_papers_models(config, stage, tokens, supervised, regions, teraflops):
    row = Example(
        input_ids=[1] * tokens,
        labels=[-100] * (tokens - supervised) + [1] * supervised,
        pixels=np.zeros((2, 2, 3), np.uint8),
        region_boxes=np.zeros((regions, 4), np.float32),
    )
    (flops,) = training_flops(config, stage, sizes_of([row]))
    assert flops / 1e12 == pytest.approx(teraflops, rel=0.02)


def test_an_optimizer_step_of_seven_billion_weights_takes_44_milliseconds():
    assert adamw_seconds(6_738_000_000) == pytest.approx(0.0439, rel=0.01)

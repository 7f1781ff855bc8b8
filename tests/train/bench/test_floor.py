"""The sizes of examples, and the floor that follows from them."""

import numpy as np
import pytest

from model.batch import Example
from model.flops import flops_by_part, training_flops
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


def test_what_rows_begin_with_is_counted_once():
    rows = [
        Example(input_ids=[*range(20), last], labels=[-100] * 20 + [last]) for last in (30, 31, 32)
    ]
    sizes = sizes_of(rows)
    assert np.array_equal(sizes.shared, [0, 19, 19])
    config = regiongpt_7b()
    parts = flops_by_part(config, "regiongpt_finetune", sizes)
    alone = flops_by_part(config, "regiongpt_finetune", sizes_of(rows[:1]))
    first = [Example(input_ids=list(range(19)), labels=[-100] * 19)]
    beginning = flops_by_part(config, "regiongpt_finetune", sizes_of(first))
    for part, (whole, *rest) in ((part, flops.tolist()) for part, flops in parts.items()):
        assert whole == alone[part][0]
        assert rest == pytest.approx([whole - beginning[part][0]] * 2)


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

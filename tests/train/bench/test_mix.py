"""Drawn rows are what training reads, the same each time, and as long as the mix states."""

import numpy as np
import pytest

from model.presets import gpt4roi_7b, regiongpt_7b
from model.processor import processor_for
from train.bench.mix import MIX, MixedRows, mixed_tokenizer
from train.data.example import TrainingExample, TrainingRows


def test_rows_follow_from_their_number_and_the_seed():
    rows, again, other = (MixedRows("regiongpt_finetune", seed) for seed in (0, 0, 1))
    assert rows[3] == again[3]
    assert rows[3] != other[3]
    assert rows[3] != rows[4]


def test_shares_add_up():
    assert all(sum(kind.share for kind in kinds) == pytest.approx(1) for kinds in MIX.values())


@pytest.mark.parametrize("stage", MIX)
def test_rows_are_as_long_as_the_mix_says(stage):
    config = regiongpt_7b() if stage.startswith("regiongpt") else gpt4roi_7b()
    processor = processor_for(config, mixed_tokenizer(config), 2048)
    rows = TrainingRows(MixedRows(stage), processor, seed=0, regions_as="box")
    made = [row for row in (rows[0, n] for n in range(40)) if isinstance(row, TrainingExample)]
    assert len(made) == 40
    pictures = [config.image_tokens * (row.example.pixels is not None) for row in made]
    words = [len(row.example.input_ids) - n for row, n in zip(made, pictures, strict=True)]
    kinds = MIX[stage]
    assert np.mean(words) == pytest.approx(sum(k.share * k.words for k in kinds), rel=0.35)
    supervised = [row.supervised for row in made]
    assert np.mean(supervised) == pytest.approx(sum(k.share * k.answers for k in kinds), rel=0.5)
    assert len(set(words)) > 10  # not all alike, as padding would cost nothing then

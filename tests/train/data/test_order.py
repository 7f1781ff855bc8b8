"""The order of an epoch: every row once, by hash, the same however the work is divided."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.flops import RowSizes, training_flops
from model.presets import gpt4roi_7b, regiongpt_7b
from train.data.order import batches, dealt, epoch_order, shares_of

IDS = [f"coco/train/{number}/region_caption/0" for number in range(1000)]
LENGTHS = np.array([(number * 7919) % 500 for number in range(1000)], dtype=float)


def test_every_row_comes_once_and_in_no_order_of_its_own():
    order = epoch_order(IDS, seed=0, epoch=0)
    assert sorted(order) == list(range(1000))
    assert np.abs(np.corrcoef(order, np.arange(1000))[0, 1]) < 0.1


def test_seed_and_epoch_change_the_order_and_shards_do_not():
    order = epoch_order(IDS, seed=0, epoch=0)
    others = [epoch_order(IDS, seed=1, epoch=0), epoch_order(IDS, seed=0, epoch=1)]
    assert all((order != other).mean() > 0.98 for other in others)
    shuffled = IDS[500:] + IDS[:500]
    again = epoch_order(shuffled, seed=0, epoch=0)
    assert [shuffled[number] for number in again] == [IDS[number] for number in order]


def test_a_share_of_two_and_a_half_brings_rows_two_or_three_times():
    shares = shares_of(["a"] * 500 + ["b"] * 500, {"b": 2.5})
    counts = Counter(epoch_order(IDS, seed=0, epoch=0, shares=shares).tolist())
    assert {counts[number] for number in range(500)} == {1}
    assert {counts[number] for number in range(500, 1000)} == {2, 3}
    third = sum(counts[number] == 3 for number in range(500, 1000))
    assert 200 < third < 300
    other = Counter(epoch_order(IDS, seed=0, epoch=1, shares=shares).tolist())
    assert counts != other


def test_a_share_of_a_fifth_brings_other_rows_each_epoch():
    shares = shares_of(["a"] * 1000, {"a": 0.2})
    first, second = (set(epoch_order(IDS, seed=0, epoch=e, shares=shares)) for e in (0, 1))
    assert 150 < len(first) < 250
    assert len(first & second) < 80


def test_batches_are_cut_from_the_order_and_the_longest_row_comes_first():
    order = epoch_order(IDS, seed=0, epoch=0)
    cut = batches(order, LENGTHS, 8)
    for number, batch in enumerate(cut):
        assert sorted(batch) == sorted(order[8 * number : 8 * number + 8])
        assert (np.diff(LENGTHS[batch]) <= 0).all()
    tokens = [LENGTHS[batch].sum() for batch in cut]
    assert np.std(tokens) < 0.25 * np.mean(tokens)  # a batch is a sample of all lengths


def test_rows_are_dealt_to_the_part_that_has_cost_the_least():
    costs = np.arange(10.0, 0, -1)
    parts = [part.tolist() for part in dealt(np.arange(10), costs, 3)]
    assert parts == [[0, 5, 6], [1, 4, 7], [2, 3, 8, 9]]


def test_parts_of_a_batch_have_about_as_many_tokens():
    for batch in batches(epoch_order(IDS, seed=0, epoch=0), LENGTHS, 64):
        tokens = [LENGTHS[part].sum() for part in dealt(batch, LENGTHS[batch], 4)]
        if len(batch) == 64:
            assert max(tokens) < 1.03 * min(tokens)
            parts = [LENGTHS[batch[k::4]].sum() for k in range(4)]
            assert max(parts) > 1.03 * min(parts)


@given(
    rows=st.integers(0, 300),
    size=st.integers(1, 40),
    seed=st.integers(0, 9),
    parts=st.integers(1, 9),
)
def test_batches_and_their_parts_hold_every_row_once(rows, size, seed, parts):
    order = epoch_order(IDS[:rows], seed=seed, epoch=2)
    cut = batches(order, LENGTHS, size)
    assert sorted(number for batch in cut for number in batch) == list(range(rows))
    assert all(len(batch) == size for batch in cut[:-1])
    for batch in cut:
        each = dealt(batch, LENGTHS[batch], parts)
        assert sorted(np.concatenate(each)) == sorted(batch)
        assert max(map(len, each)) - min(map(len, each)) <= 1


@given(
    costs=st.lists(st.floats(0, 1e15), min_size=1, max_size=60),
    parts=st.integers(1, 8),
)
def test_no_two_parts_differ_by_more_than_the_most_costly_row(costs, parts):
    sorted_costs = np.array(sorted(costs, reverse=True))
    sums = [sorted_costs[part].sum() for part in dealt(np.arange(len(costs)), sorted_costs, parts)]
    assert max(sums) - min(sums) <= max(costs) * (1 + 1e-9)


@pytest.mark.parametrize("config", [gpt4roi_7b(), regiongpt_7b()], ids=["gpt4roi", "regiongpt"])
def test_processes_have_as_much_of_pictures_and_regions_as_of_texts(config):
    """A mix of the papers' kind: texts alone, and pictures with up to fifteen regions."""
    random = np.random.default_rng(0)
    pictures = (random.random(640) < 0.7).astype(int)
    regions = pictures * random.integers(0, 16, 640)
    words = np.where(pictures, random.integers(20, 300, 640), random.integers(100, 1500, 640))
    sizes = RowSizes(
        tokens=words + pictures * config.image_tokens + regions, supervised=words // 2,
        pictures=pictures, regions=regions,
    )  # fmt: skip
    stage = "gpt4roi_stage1" if config.model_type == "gpt4roi" else "regiongpt_pretrain"
    costs = training_flops(config, stage, sizes)
    worst = {"flops": 1.0, "tokens": 1.0}
    for batch in np.arange(640).reshape(10, 64):
        for name, measure in (("flops", costs), ("tokens", sizes.tokens.astype(float))):
            ordered = batch[np.argsort(-measure[batch])]
            sums = [costs[part].sum() for part in dealt(ordered, measure[ordered], 8)]
            worst[name] = max(worst[name], max(sums) / (sum(sums) / 8))
    assert worst["flops"] < 1.04
    assert config.model_type != "gpt4roi" or worst["tokens"] > 1.06

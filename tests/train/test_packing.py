"""Training on packed rows: losses and gradients of single rows, and rows that see no neighbour."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from model.attention import ATTENTION_NAME
from model.batch import Example, shared_tokens
from model.presets import tiny_regiongpt
from model.processor import processor_for
from model.region_model import GPT4RoIForConditionalGeneration, RegionGPTForConditionalGeneration
from model.stages import freeze_for
from tests.small_models import small_gpt4roi
from train.data.build import Build
from train.data.example import RegionsAs, TrainingExample, TrainingRows
from train.data.rows import ShardRows
from train.step import batch_loss

KINDS = {
    "gpt4roi": (GPT4RoIForConditionalGeneration, small_gpt4roi),
    "regiongpt": (RegionGPTForConditionalGeneration, tiny_regiongpt),
}
CPU = torch.device("cpu")
CASES = [  # stage; whether all rows begin alike; key-value heads, of two
    ("gpt4roi_stage1", True, 2),
    ("gpt4roi_stage2", True, 1),
    ("gpt4roi_stage2", False, 2),
    ("regiongpt_pretrain", True, 1),
    ("regiongpt_finetune", True, 2),
    ("regiongpt_finetune", False, 1),
]


@pytest.fixture(scope="module")
def rows(proof_shards):
    build = Build.open(proof_shards)
    return ShardRows(build, build.shards("train"))


@pytest.fixture(scope="module", params=CASES, ids=str)
def case(request, rows, tokenizer):
    """A model of random weights, its processor, and rows of all configs and of text alone.

    And the losses of these rows, packed; no test changes the weights.
    """
    torch.manual_seed(0)
    stage, alike, heads = request.param
    name = stage.split("_")[0]
    kind, preset = KINDS[name]
    config = preset()
    config.text_config.num_attention_heads = 2
    config.text_config.num_key_value_heads = heads
    model, processor = kind(config), processor_for(config, tokenizer)
    freeze_for(model, stage)
    model.set_attn_implementation({"text_config": ATTENTION_NAME})
    form: RegionsAs = "box" if name == "gpt4roi" else "half"
    made = TrainingRows(rows, processor, seed=0, regions_as=form)
    configs = rows.configs()
    firsts = [configs.index(name) for name in sorted(set(configs))]
    whole = [made[0, number] for number in firsts]
    examples = [each.example for each in whole if isinstance(each, TrainingExample)]
    before = examples[0].input_ids[:30] if alike else [8, 9]
    ids = [*before, *range(10, 24)]
    written = Example(input_ids=ids, labels=[-100] * len(before) + ids[len(before) :])
    assert len(examples) == 4
    assert len({len(example.input_ids) for example in examples}) == 4
    joined = [*examples[:3], written, *examples[3:]]
    assert bool(shared_tokens(joined)) == alike
    return model, processor, joined, row_losses(model, processor, joined)


def supervised(example):
    return len(example.labels) - example.labels.count(-100)


def loss_of(model, processor, examples, count=1):
    batch = processor.collate(examples, packed=True)
    return batch_loss(model, batch, count, "float32", CPU)


def row_losses(model, processor, examples):
    """The loss of each row of a packed batch: the other rows' targets count for nothing."""
    batch = processor.collate(examples, packed=True)
    row = torch.searchsorted(batch["segment_offsets"], batch["loss_positions"], right=True) - 1
    row -= int("key_offsets" in batch)  # the first segment is what all begin with
    targets = batch["loss_targets"]
    losses = []
    for number in range(len(examples)):
        batch["loss_targets"] = torch.where(row == number, targets, -100)
        with torch.no_grad():
            losses.append(batch_loss(model, batch, 1, "float32", CPU))
    return losses


def test_losses_and_gradients_are_those_of_one_row_after_another(case):
    model, processor, examples, _ = case
    count = sum(map(supervised, examples))
    whole = loss_of(model, processor, examples, count)
    whole.backward()
    packed = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    losses = [loss_of(model, processor, [example], count) for example in examples]
    for loss in losses:
        if loss.requires_grad:  # not that of text, where the connector alone trains
            loss.backward()
    assert float(whole.detach()) == pytest.approx(float(sum(losses).detach()), rel=1e-5)
    single = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert packed.keys() == single.keys()
    assert any(name.startswith("connector") for name in packed)
    for name, gradient in packed.items():
        difference = (gradient - single[name]).norm() / single[name].norm().clamp(min=1e-6)
        assert difference < 1e-5, name


def test_each_row_has_the_loss_that_it_has_alone(case):
    model, processor, examples, losses = case
    for packed, example in zip(losses, examples, strict=True):
        with torch.no_grad():
            alone = loss_of(model, processor, [example])
        torch.testing.assert_close(packed, alone, rtol=1e-5, atol=0)


@pytest.mark.parametrize("changed", [0, 3, 4])
def test_a_row_that_changes_leaves_the_losses_of_the_others_as_they_are(case, changed):
    model, processor, examples, before = case
    other = list(examples)
    other[changed] = changed_in_all(examples[changed], shared_tokens(examples))
    after = row_losses(model, processor, other)
    for number, (first, second) in enumerate(zip(before, after, strict=True)):
        assert torch.equal(first, second) == (number != changed), number


def changed_in_all(example, same):
    """A row of the same length, of other words but for the first, another picture and regions."""
    ids = example.input_ids[:same]
    ids += [token if token < 0 else (token + 7) % 500 for token in example.input_ids[same:]]
    changed = replace(example, input_ids=ids)
    if example.pixels is not None:
        changed = replace(changed, pixels=255 - example.pixels)
    if example.region_boxes is not None:
        changed = replace(changed, region_boxes=example.region_boxes * np.float32(0.5))
    if example.region_weights is not None:
        changed = replace(changed, region_weights=example.region_weights[:, ::-1].copy())
    return changed

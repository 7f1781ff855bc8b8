"""The optimizer's groups, and the learning rate of each step beside transformers' own."""

import pytest
import torch
from torch import nn
from transformers import get_cosine_schedule_with_warmup

from model.presets import tiny_gpt4roi
from model.region_model import GPT4RoIForConditionalGeneration
from model.stages import STAGES, freeze_for
from schemas.errors import UsageError
from train.optim import learning_rate, make_optimizer, set_learning_rate
from train.recipes import RECIPES, TrainRecipe, recipe_named


def recipe(**changes):
    stated = {
        "name": "test", "stage": "gpt4roi_stage1", "builds": (), "learning_rate": 1e-3, "batch": 4,
        "epochs": 1,
    }  # fmt: skip
    return TrainRecipe(**{**stated, **changes})


@pytest.mark.parametrize("warmup", [0, 1, 7, 40])
def test_the_rate_is_that_of_transformers(warmup):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1e-3)
    schedule = get_cosine_schedule_with_warmup(optimizer, warmup, 40)
    for step in range(40):
        ours = learning_rate(recipe(warmup_steps=warmup), step, 40)
        assert ours == pytest.approx(schedule.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        schedule.step()


def test_a_share_of_steps_is_rounded_up():
    rates = [learning_rate(recipe(warmup_share=0.03), step, 50) for step in range(4)]
    assert rates[:3] == [0, 5e-4, 1e-3]
    assert rates[3] < 1e-3


def test_only_what_trains_is_in_the_optimizer():
    model = GPT4RoIForConditionalGeneration(tiny_gpt4roi())
    freeze_for(model, "gpt4roi_stage1")
    optimizer = make_optimizer(model, recipe())
    chosen = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert chosen == {id(p) for p in model.connector.region_encoder.parameters()}


def test_decay_is_by_part_and_spares_vectors():
    model = GPT4RoIForConditionalGeneration(tiny_gpt4roi())
    freeze_for(model, "gpt4roi_stage2")
    decays = {"connector": 0.1, "connector.region_encoder": 0.01}
    optimizer = make_optimizer(model, recipe(weight_decay=decays))
    decay = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            expected = 0.0
            if parameter.ndim > 1 and name.startswith("connector."):
                expected = 0.01 if name.startswith("connector.region_encoder.") else 0.1
            assert decay[id(parameter)] == expected, name
    set_learning_rate(optimizer, 0.5)
    assert {group["lr"] for group in optimizer.param_groups} == {0.5}


def test_every_recipe_names_a_stage_and_itself():
    for name in RECIPES:
        stated = recipe_named(name)
        assert stated.name == name
        assert stated.stage in STAGES
    with pytest.raises(UsageError, match="there is no recipe 'x' for training; expected"):
        recipe_named("x")


def test_recipes_have_the_papers_values():
    stated = {name: recipe_named(name) for name in RECIPES}
    values = {name: (each.learning_rate, each.batch, each.epochs) for name, each in stated.items()}
    assert {name: values[name] for name in stated if not name.startswith("tiny")} == {
        "gpt4roi_stage1": (4e-5, 16, 2),
        "gpt4roi_stage2": (2e-5, 16, 2),
        "regiongpt_pretrain": (1e-3, 256, 1),
        "regiongpt_finetune": (2e-5, 128, 1),
    }

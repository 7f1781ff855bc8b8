"""The loop: accumulation is the big batch, a run is a function of its seed, and it learns."""

from dataclasses import replace
from math import isfinite

import pytest
import torch

from model.presets import tiny_regiongpt
from model.processor import processor_for
from model.region_model import GPT4RoIForConditionalGeneration, RegionGPTForConditionalGeneration
from tests.small_models import small_gpt4roi
from train.data.build import Build
from train.data.example import TrainingExample, TrainingRows
from train.data.rows import ShardRows
from train.loop import Done, Job, Stopped, schedule_of, train
from train.processes import Processes
from train.recipes import TrainRecipe

ALONE = Processes(device=torch.device("cpu"))


CONFIGS = {"gpt4roi": small_gpt4roi, "regiongpt": tiny_regiongpt}
CLASSES = {
    "gpt4roi": GPT4RoIForConditionalGeneration,
    "regiongpt": RegionGPTForConditionalGeneration,
}
STAGES = [
    ("gpt4roi", "gpt4roi_stage1"),
    ("gpt4roi", "gpt4roi_stage2"),
    ("regiongpt", "regiongpt_pretrain"),
    ("regiongpt", "regiongpt_finetune"),
]


@pytest.fixture(scope="module")
def rows(proof_shards):
    build = Build.open(proof_shards)
    return ShardRows(build, build.shards("train"))


def recipe(stage, **changes):
    stated = {
        "name": "test", "stage": stage, "builds": (), "learning_rate": 1e-3, "batch": 8,
        "epochs": 1, "precision": "float32", "warmup_steps": 1,
        "regions_as": "box" if stage.startswith("gpt4roi") else "half",
    }  # fmt: skip
    return TrainRecipe(**{**stated, **changes})


def made(kind, tokenizer, seed=0):
    torch.manual_seed(seed)
    config = CONFIGS[kind]()
    return CLASSES[kind](config), processor_for(config, tokenizer)


def run(kind, tokenizer, stated, job):
    model, processor = made(kind, tokenizer)
    steps = []
    train(model, processor, stated, job, after_step=lambda done, _: steps.append(done))
    return model, steps


@pytest.mark.parametrize(("kind", "stage"), STAGES)
def test_every_stage_of_both_models_trains_on_all_tasks(rows, tokenizer, kind, stage):
    stated = recipe(stage, batch=16)
    before, _ = made(kind, tokenizer)
    model, steps = run(
        kind, tokenizer, stated, Job(rows=rows, processes=ALONE, micro_batch=8, max_steps=3)
    )
    assert [done.step for done in steps] == [0, 1, 2]
    assert {name.split("/")[0] for done in steps for name in done.ids} >= {"v3det", "vcr"}
    for name, weight in model.named_parameters():
        same = torch.equal(weight, before.get_parameter(name))
        assert same or weight.requires_grad, name
    trained = [n for n, p in model.named_parameters() if p.requires_grad]
    moved = [n for n in trained if not torch.equal(model.get_parameter(n), before.get_parameter(n))]
    assert len(moved) > 0.9 * len(trained)


@pytest.mark.parametrize(("kind", "stage"), STAGES)
def test_the_shards_of_every_recipe_train(every_recipe, sample_world, tokenizer, kind, stage):
    """By reference: the pictures lie below a folder that is named."""
    model, processor = made(kind, tokenizer)
    for folder in sorted(every_recipe.iterdir()):
        build = Build.open(folder)
        split = build.manifest.shards[0].split
        job = Job(
            rows=ShardRows(build, build.shards(split)), processes=ALONE, micro_batch=2,
            max_steps=2, image_root=sample_world,
        )  # fmt: skip
        steps: list[Done] = []

        def note(done: Done, _: object, steps: list[Done] = steps) -> None:
            steps.append(done)

        train(model, processor, recipe(stage, batch=2), job, after_step=note)
        assert len(steps) == min(2, -(-len(job.rows) // 2)), folder.name
        assert all(isfinite(done.result.loss) for done in steps), folder.name
        assert sum(done.result.supervised for done in steps) > 0, folder.name


@pytest.mark.parametrize("micro_batch", [1, 3])
def test_accumulation_equals_the_big_batch(rows, tokenizer, micro_batch):
    stated = recipe("regiongpt_finetune", warmup_steps=0)
    job = Job(rows=rows, processes=ALONE, micro_batch=8, max_steps=2)
    whole, big = run("regiongpt", tokenizer, stated, job)
    parts, small = run("regiongpt", tokenizer, stated, replace(job, micro_batch=micro_batch))
    for first, second in zip(big, small, strict=True):
        assert sorted(first.ids) == sorted(second.ids)
        assert second.result.loss == pytest.approx(first.result.loss, rel=1e-5)
        assert second.result.gradient_norm == pytest.approx(first.result.gradient_norm, rel=1e-4)
        assert second.result.supervised == first.result.supervised
    assert whole.dtype == parts.dtype == torch.float32


def test_the_loss_is_the_mean_over_all_supervised_tokens(rows, tokenizer):
    """By transformers' own loss on each row alone, weighted by its tokens."""
    _, steps = run(
        "regiongpt", tokenizer, recipe("regiongpt_finetune"),
        Job(rows=rows, processes=ALONE, micro_batch=3, max_steps=1),
    )  # fmt: skip
    model, processor = made("regiongpt", tokenizer)
    numbers = {name: number for number, name in enumerate(rows.ids())}
    total = count = 0.0
    examples = TrainingRows(rows, processor, seed=0, regions_as="half")
    for name in steps[0].ids:
        made_example = examples[0, numbers[name]]
        assert isinstance(made_example, TrainingExample)
        batch = processor.collate([made_example.example])
        tokens = int((batch["labels"] != -100).sum())
        batch.pop("loss_positions"), batch.pop("loss_targets")
        with torch.no_grad():
            total += float(model(**batch).loss) * tokens
        count += tokens
    assert steps[0].result.loss == pytest.approx(total / count, rel=1e-5)
    assert steps[0].result.supervised == count


def test_two_runs_with_one_seed_are_bit_equal_and_another_seed_differs(rows, tokenizer):
    job = Job(rows=rows, processes=ALONE, micro_batch=4, max_steps=3)
    first, steps = run("regiongpt", tokenizer, recipe("regiongpt_pretrain"), job)
    again, _ = run("regiongpt", tokenizer, recipe("regiongpt_pretrain"), job)
    state = again.state_dict()
    assert all(torch.equal(weight, state[name]) for name, weight in first.state_dict().items())
    _, others = run("regiongpt", tokenizer, recipe("regiongpt_pretrain", seed=1), job)
    assert steps[0].ids != others[0].ids


def test_a_run_that_goes_on_ends_as_one_that_was_never_stopped(rows, tokenizer):
    stated = recipe("regiongpt_finetune")
    whole, _ = run(
        "regiongpt", tokenizer, stated, Job(rows=rows, processes=ALONE, micro_batch=4, max_steps=4)
    )
    model, processor = made("regiongpt", tokenizer)
    optimizers = []
    job = Job(rows=rows, processes=ALONE, micro_batch=4, max_steps=2)
    train(
        model, processor, stated, job,
        after_step=lambda _, optimizer: optimizers.append(optimizer),
    )  # fmt: skip
    stopped = Stopped(optimizer=optimizers[-1], steps=2)
    train(model, processor, stated, replace(job, max_steps=4), stopped=stopped)
    state = model.state_dict()
    assert all(torch.equal(weight, state[name]) for name, weight in whole.state_dict().items())


def test_the_loss_falls(rows, tokenizer):
    stated = recipe("regiongpt_finetune", learning_rate=3e-3, batch=16)
    job = Job(rows=rows, processes=ALONE, micro_batch=16, max_steps=16)
    _, steps = run("regiongpt", tokenizer, stated, job)
    losses = [done.result.loss for done in steps]
    assert sum(losses[-4:]) < 0.8 * sum(losses[:4])


def test_weights_bring_rows_more_often(rows, tokenizer):
    stated = recipe("regiongpt_pretrain")
    plain = schedule_of(stated, Job(rows=rows, processes=ALONE, micro_batch=1))
    weighted = schedule_of(
        stated, Job(rows=rows, processes=ALONE, micro_batch=1, weights={"v3det": 2})
    )
    numbers = sum(map(len, weighted.epoch(0))) - sum(map(len, plain.epoch(0)))
    assert numbers == rows.configs().count("v3det") == 300

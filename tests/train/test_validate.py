"""Validation: the loss on held-out rows, and answers that the model gives by itself."""

import json

import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

import train.step
from model.presets import tiny_regiongpt
from model.processor import processor_for
from train.cli import run
from train.data.build import Build
from train.data.rows import ShardRows
from train.plan import Plan
from train.processes import Processes
from train.recipes import recipe_named
from train.seen import logged
from train.start import Start
from train.validate import Validation


@pytest.fixture(scope="module")
def words(proof_shards, towers):
    given = ["train", "--recipe", "gpt4roi_stage1", "--shards", str(proof_shards), "--batch", "4"]
    return [*given, *towers["gpt4roi"], "--device", "cpu", "--workers", "0", "--max-steps", "3"]


@pytest.fixture(scope="module")
def validated(words, held_out, made_once):
    """The folder of a run; each of its steps had a model in training mode."""
    flags = ["--validate-every", "2", "--validate-on", str(held_out)]
    root = made_once("validated", lambda root: validate([*words, *flags], root / "run"))
    return root / "run"


def validate(words, folder):
    modes = []

    def optimize(model, *given, **options):
        modes.append(model.training)
        return train.step.optimize(model, *given, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("train.loop.optimize", optimize)
        assert run([*words, "--output", str(folder)]) == 0
    assert modes == [True, True, True]


def test_the_loss_is_that_of_transformers_on_each_row(validated, held_out):
    """By transformers' own loss on each row alone, of the model that the run has left."""
    assert [line["step"] for line in logged(validated) if "validation_loss" in line] == [1, 2]
    model = AutoModelForImageTextToText.from_pretrained(validated / "final")
    processor = AutoProcessor.from_pretrained(validated / "final")
    build = Build.open(held_out)
    total = count = 0.0
    for row in ShardRows(build, build.shards("val")):
        batch = processor.collate([processor.encode_row(row, "box")])
        tokens = int((batch["labels"] != -100).sum())
        batch.pop("loss_positions"), batch.pop("loss_targets")
        with torch.no_grad():
            total += float(model(**batch).loss) * tokens
        count += tokens
    assert logged(validated)[-1]["validation_loss"] == pytest.approx(total / count, rel=1e-4)


def test_answers_are_those_of_the_model_to_questions_of_the_rows(validated, held_out):
    samples = validated / "samples"
    assert sorted(path.name for path in samples.iterdir()) == [
        "step-00000002.json", "step-00000003.json",
    ]  # fmt: skip
    answers = json.loads((samples / "step-00000003.json").read_bytes())
    assert len(answers) == 6
    build = Build.open(held_out)
    rows = {row["id"]: row for row in ShardRows(build, build.shards("val"))}
    model = AutoModelForImageTextToText.from_pretrained(validated / "final")
    processor = AutoProcessor.from_pretrained(validated / "final")
    for shown in answers:
        row = rows[shown["id"]]
        first, second = row["messages"][:2]
        assert (shown["question"], shown["expected"]) == (first["content"], second["content"])
        batch = processor.apply_chat_template(
            [first], images=row["image"]["bytes"], regions=row["regions"],
            add_generation_prompt=True, tokenize=True, return_dict=True,
        )  # fmt: skip
        ids = model.generate(**batch, **processor.stopping(), do_sample=False, max_new_tokens=64)
        assert [shown["answer"]] == processor.post_process_image_text_to_text(ids)


def test_validation_changes_nothing_of_the_training(words, validated, tmp_path):
    assert run([*words, "--output", str(tmp_path / "run")]) == 0
    losses = [line["loss"] for line in logged(validated)]
    assert [line["loss"] for line in logged(tmp_path / "run")] == losses


@pytest.mark.parametrize(("sharded", "forwards"), [(True, [2, 2]), (False, [2, 1])])
def test_in_parts_all_processes_make_as_many_forward_passes(
    tokenizer, held_out, tmp_path, monkeypatch, sharded, forwards
):
    """Each of them takes part in gathering; the last has no rows left. No model, and no group."""
    build = Build.open(held_out)
    monkeypatch.setattr("train.validate.is_sharded", lambda model: sharded)
    monkeypatch.setattr("train.validate._ROWS", 3)
    counted = []
    for rank in range(2):
        calls: list[int] = []
        monkeypatch.setattr(
            "train.validate.batch_loss",
            lambda *given, calls=calls: torch.tensor(float(calls.append(1) is None)),
        )
        plan = Plan(
            recipe=recipe_named("regiongpt_pretrain"),
            start=Start(vision="x", language="x"),
            builds=(build,),
            rows=ShardRows(build, build.shards("val")),
            output=tmp_path,
            device=torch.device("cpu"),
            micro_batch=1,
            validation=ShardRows(build, build.shards("val")),
        )
        processes = OneOfTwo(device=torch.device("cpu"), rank=rank, world=2)
        validation = Validation(plan, processor_for(tiny_regiongpt(), tokenizer), processes)
        validation._loss(torch.nn.Linear(1, 1))
        counted.append(len(calls))
    assert counted == forwards


class OneOfTwo(Processes):
    """A process whose partner is not there: its sums are its part."""

    def sums(self, numbers):
        return list(numbers)

    def sum(self, value):
        return float(value)

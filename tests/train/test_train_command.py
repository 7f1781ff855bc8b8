"""`regionforge train` from shards to a model: stopped by signals, killed, and run from Python."""

import json
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForImageTextToText, AutoProcessor

from schemas.errors import InputFileError
from tests.forked import command
from train.checkpoint import checkpoints
from train.cli import run
from train.seen import logged

KEYS = {
    "step", "epoch", "loss", "learning_rate", "tokens_per_second", "samples_per_second",
    "data_wait", "memory", "gradient_norm", "supervised", "tokens", "rows", "dropped_turns",
    "rejected",
}  # fmt: skip


@pytest.fixture(scope="module")
def stage1(proof_shards, towers):
    """The words of a short first stage, but for the output."""
    words = ["train", "--recipe", "regiongpt_pretrain", "--shards", str(proof_shards)]
    words += [*towers["regiongpt"], "--device", "cpu", "--workers", "0", "--batch", "8"]
    return [*words, "--max-steps", "12", "--checkpoint-every", "2"]


@pytest.fixture(scope="module")
def whole(stage1, made_once):
    """The folder of that stage, run without a stop."""

    def make(folder: Path) -> None:
        assert run([*stage1, "--output", str(folder / "run")]) == 0

    return made_once("whole_stage", make) / "run"


def test_a_line_stands_before_the_model_is_opened(stage1, towers, tmp_path, capsys, monkeypatch):
    def opened(start, recipe):
        raise InputFileError("not opened")

    monkeypatch.setattr("train.launch.open_model", opened)
    assert run([*stage1, "--output", str(tmp_path / "run")]) == 1
    first, last = capsys.readouterr().err.splitlines()[-2:]
    given = dict(zip(towers["regiongpt"][::2], towers["regiongpt"][1::2], strict=True))
    origin = f"{given['--vision']} and {given['--language']}"
    assert first == f"regiongpt_pretrain: 12 steps of 8 rows; opens {origin}"
    assert last == "error: not opened"


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    with safe_open(folder / "final" / "model.safetensors", "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def signalled(words, run_folder, number, lines):
    """Start a run as a process of its own, and send it a signal once its log has some lines."""
    process = command(run_folder.with_name(f"shown-{number}.txt"), *words)
    end = time.monotonic() + 120
    while len(logged(run_folder)) < lines and process.runs():
        assert time.monotonic() < end
        time.sleep(0.005)
    process.signal(number)
    return process.ended(), process.shown()


def test_a_run_that_is_ended_and_killed_ends_as_one_that_was_not(stage1, whole, tmp_path):
    folder = tmp_path / "run"
    words = [*stage1, "--output", str(folder)]
    status, shown = signalled(words, folder, signal.SIGTERM, lines=random.randint(1, 4))
    assert status == 143, shown
    assert "run the same command again to go on" in shown
    steps = len(logged(folder))
    assert [path.name for path in checkpoints(folder)][-1] == f"step-{steps:08d}"
    assert not (folder / "final").exists()
    status, shown = signalled(words, folder, signal.SIGKILL, lines=steps + random.randint(1, 4))
    assert status == -signal.SIGKILL, shown
    assert run(words) == 0
    ended, stayed = tensors(folder), tensors(whole)
    assert ended.keys() == stayed.keys()
    assert [name for name, tensor in stayed.items() if not torch.equal(tensor, ended[name])] == []
    losses = [(line["step"], line["loss"]) for line in logged(whole)]
    assert [(line["step"], line["loss"]) for line in logged(folder)] == losses
    starts = json.loads((folder / "run.json").read_bytes())["starts"]
    assert [start["step"] for start in starts][:2] == [0, steps]
    assert len(starts) == 3


def test_what_a_run_leaves(whole, proof_shards):
    assert {path.name for path in whole.iterdir()} == {
        "run.json", "log.jsonl", "tensorboard", "checkpoints", "final",
    }  # fmt: skip
    assert [path.name for path in checkpoints(whole)] == ["step-00000010", "step-00000012"]
    lines = [json.loads(line) for line in (whole / "log.jsonl").read_text("utf-8").splitlines()]
    assert [line["step"] for line in lines] == list(range(12))
    assert {key for line in lines for key in line} == KEYS
    record = json.loads((whole / "run.json").read_bytes())
    assert record["identity"]["recipe.batch"] == 8
    assert record["finished_steps"] == 12
    assert record["precision"] == {
        "trained": "float32", "frozen": "float32", "optimizer": "float32",
        "computation": "float32",
    }  # fmt: skip
    assert record["calibration"]["after"] > record["calibration"]["before"]
    card = (whole / "final" / "README.md").read_text("utf-8")
    assert record["data"][0]["manifest_sha256"] in card
    assert "`regiongpt_pretrain`" in card
    suffixes = {path.suffix for path in whole.rglob("*") if path.is_file()}
    assert not suffixes & {".pt", ".pth", ".pkl", ".bin"}


def test_transformers_opens_the_final_folder(whole):
    model = AutoModelForImageTextToText.from_pretrained(whole / "final")
    processor = AutoProcessor.from_pretrained(whole / "final")
    batch = processor(text="Hello", return_tensors="pt")
    assert model.generate(**batch, **processor.stopping(), max_new_tokens=2).shape[0] == 1


def test_the_command_of_a_finished_run_does_nothing(stage1, whole, capsys):
    before = {path: path.stat().st_mtime_ns for path in whole.rglob("*")}
    assert run([*stage1, "--output", str(whole)]) == 0
    assert {path: path.stat().st_mtime_ns for path in whole.rglob("*")} == before
    assert capsys.readouterr().out == f"wrote {whole}/final\n"


def test_more_steps_are_added_to_a_finished_run(stage1, whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    names = {path.name for path in folder.iterdir()}
    for leftover in (".final-new-x1", "final-new"):  # of a crash while the model was saved
        (folder / leftover).mkdir()
    (folder / ".run.json").touch()
    assert run([*stage1, "--max-steps", "13", "--output", str(folder)]) == 0
    assert len(logged(folder)) == 13
    assert json.loads((folder / "run.json").read_bytes())["finished_steps"] == 13
    assert {path.name for path in folder.iterdir()} == names


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--batch", "16"], "recipe.batch 8, not 16"),
        (["--seed", "1"], "recipe.seed 0, not 1"),
        (["--weights", "llava=2"], "weights {}, not {'llava': 2.0}"),
    ],
)
def test_another_run_in_the_folder_is_refused_by_the_key(stage1, whole, capsys, words, message):
    assert run([*stage1, *words, "--output", str(whole)]) == 2
    assert message in capsys.readouterr().err


def test_the_second_stage_starts_from_a_run_with_adapters(whole, proof_shards, tmp_path, capsys):
    words = ["train", "--recipe", "regiongpt_finetune", "--shards", str(proof_shards), "--lora"]
    words += ["4", "--device", "cpu", "--workers", "0", "--batch", "8", "--max-steps", "2"]
    words += ["--checkpoint", str(whole), "--output", str(tmp_path / "run"), "--limit", "40"]
    assert run(words) == 1
    assert "no detailed captions" in capsys.readouterr().err
    assert run([*words, "--no-recapd"]) == 0
    before, after = tensors(whole), tensors(tmp_path / "run")
    assert before.keys() == after.keys()  # adapters are merged
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert any(name.startswith("language_model.") for name in moved)
    assert not any(name.startswith("vision_tower.") for name in moved)

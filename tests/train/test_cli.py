"""The command line of training: what is wrong with it is a line, before any work."""

import errno
import json
import os
import re
import shutil
import signal
import sys
from dataclasses import replace

import pytest

import train.step
from schemas.errors import UsageError
from train import seen
from train.cli import make_parser, make_plan, run
from train.data.build import Build
from train.data.rows import ShardRows
from train.recipes import RECIPES
from train.start import presets_by_name


@pytest.fixture
def words(proof_shards, towers, tmp_path):
    given = ["train", "--recipe", "regiongpt_pretrain", "--shards", str(proof_shards)]
    given += [*towers["regiongpt"], "--device", "cpu", "--output", str(tmp_path / "run")]
    return [*given, "--workers", "0", "--batch", "4", "--max-steps", "1"]


def refused(words, capsys, tmp_path, status=2):
    """The message of a command that changes nothing."""
    assert run(words) == status
    assert not (tmp_path / "run").exists()
    lines = capsys.readouterr().err.splitlines(keepends=True)
    (shown,) = [line for line in lines if "; opens " not in line]  # what a run begins with
    assert shown.startswith("error: ")
    return shown


def test_help_names_every_recipe(capsys):
    with pytest.raises(SystemExit) as ended:
        run(["train", "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "examples:\n  regionforge train " in shown
    assert [name for name in RECIPES if name not in shown] == []
    words = re.split(r"[\s,]+", shown)
    assert [name for name in presets_by_name() if name not in words] == []


@pytest.mark.parametrize(
    "flags",
    [
        ["--frobnicate"],
        ["--epochs", "0"],
        ["--learning-rate", "-1"],
        ["--weights", "llava"],
        ["--weights", "llava=x"],
        ["--precision", "float16"],
        ["--batc", "8"],
    ],
)
def test_a_wrong_flag_is_usage(words, flags, capsys, tmp_path):
    assert flags[0] in refused([*words, *flags], capsys, tmp_path)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--recipe", "nope"],
            "there is no recipe 'nope' for training; expected one of",
        ),
        (["--device", "tpu"], "--device tpu: "),
        (["--precision", "bfloat16"], "--precision bfloat16 needs a GPU"),
        (["--vision", "/nope"], "/nope: no such folder"),
        (["--model", "nope"], "--model nope: there is no such model; expected one of "),
        (["--shards", "/nope"], "--shards /nope: no such folder"),
        (["--split", "nope"], "has no split 'nope', but train"),
        (["--weights", "nope=2"], "--weights nope=: no such config, but llava"),
        (["--checkpoint", "/nope"], "--checkpoint has the model's shape"),
        (["--qlora"], "--qlora needs --lora RANK"),
        (["--lora", "4"], "--lora is for stages that train the language model"),
        (["--track", "wandb"], "--track wandb needs: pip install wandb"),
        (["--validate-every", "2"], "--validate-every needs rows of a split val"),
        (["--recipe", "gpt4roi_stage1"], "stage 'gpt4roi_stage1' trains a gpt4roi model"),
    ],
)
def test_what_cannot_be_run_is_named(words, flags, message, capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert message in refused([*words, *flags], capsys, tmp_path)


def test_a_gpu_that_is_not_there_is_named(words, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert "no GPU that torch can use" in refused([*words, "--device", "cuda"], capsys, tmp_path)


def test_without_towers_or_checkpoint_the_flag_is_named(proof_shards, capsys, tmp_path):
    words = ["train", "--recipe", "regiongpt_pretrain", "--shards", str(proof_shards)]
    words += ["--output", str(tmp_path / "run"), "--device", "cpu"]
    assert "--vision is missing" in refused(words, capsys, tmp_path)


def test_another_schema_version_is_refused(words, proof_shards, capsys, tmp_path):
    folder = shutil.copytree(proof_shards, tmp_path / "shards")
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["identity"]["schema_version"] = "1"
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    shown = refused([*words, "--shards", str(folder)], capsys, tmp_path, status=1)
    assert f"{folder}: schema 1, expected 2" in shown


def test_a_folder_that_is_no_run_is_left_alone(words, capsys, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("x", encoding="utf-8")
    assert run(words) == 2
    assert "not empty, and no run" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine.txt"]


def test_a_corrupted_row_is_named(words, proof_shards, capsys, tmp_path):
    folder = shutil.copytree(proof_shards, tmp_path / "shards")
    build = Build.open(folder)
    (entry,) = [s for s in build.shards("train", ["v3det"]) if s.index == 1]
    row = ShardRows(build, [entry])[3]
    shard = folder / entry.path
    content = shard.read_bytes()
    picture = row["image"]["bytes"]
    assert content.count(picture) == 1
    shard.write_bytes(content.replace(picture, b"\0" * len(picture)))
    words[words.index("--shards") + 1] = str(folder)
    words[words.index("--max-steps") + 1] = "400"
    words[words.index("--batch") + 1] = "32"
    for config in ("llava", "refcocog", "vcr"):
        words += ["--weights", f"{config}=0"]
    assert run(words) == 1
    shown = capsys.readouterr().err.splitlines()[-1]
    assert shown.startswith("error: ")
    assert row["id"] in shown
    assert not (tmp_path / "run" / "final").exists()


def test_a_full_disk_is_named_and_leaves_no_model(words, capsys, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("train.final.card", refuse)
    assert run(words) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "checkpoints", "log.jsonl", "run.json", "tensorboard",
    ]  # fmt: skip
    monkeypatch.undo()
    assert run(words) == 0
    assert (tmp_path / "run" / "final" / "README.md").is_file()
    assert len(seen.logged(tmp_path / "run")) == 1


def test_sigterm_before_the_first_step_ends_with_143(words, capsys, tmp_path, monkeypatch):
    def terminated(*_):
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("the signal ends the command at once")

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("train.launch.open_model", terminated)
    assert run(words) == 143
    assert "ended by SIGTERM" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == before
    assert not (tmp_path / "run").exists()


def test_tiny_towers_are_made_for_a_tiny_model(proof_shards, capsys, tmp_path):
    towers = tmp_path / "towers"
    words = ["train", "--recipe", "tiny_towers", "--shards", str(proof_shards)]
    words += ["--output", str(towers), "--max-steps", "2"]
    assert run([*words, "--vision", "x"]) == 2
    assert capsys.readouterr().err == "error: --recipe tiny_towers takes no --vision\n"
    assert run(words) == 0
    assert "vision: step 0, loss " in capsys.readouterr().err
    words = ["train", "--recipe", "tiny_regiongpt_stage1", "--shards", str(proof_shards)]
    words += ["--vision", f"{towers}/vision", "--language", f"{towers}/language"]
    words += ["--output", str(tmp_path / "run"), "--device", "cpu", "--workers", "0"]
    assert run([*words, "--max-steps", "1", "--batch", "4"]) == 0
    assert (tmp_path / "run" / "final" / "model.safetensors").is_file()


def test_several_builds_are_read_as_one(words, proof_shards, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("train.dry_run._TRIED", 8)
    words = [*words, "--dry-run"]
    assert run([*words, "--shards", str(proof_shards)]) == 2
    assert "--shards names a folder twice" in capsys.readouterr().err
    assert run(words) == 0
    (single,) = re.findall(r"^rows +([\d,]+)", capsys.readouterr().out)
    assert run([*words, "--shards", str(shutil.copytree(proof_shards, tmp_path / "more"))]) == 0
    (both,) = re.findall(r"^rows +([\d,]+)", capsys.readouterr().out)
    assert int(both.replace(",", "")) == 2 * int(single.replace(",", "")) > 8


def test_a_loss_that_is_no_number_stops_with_the_rows(words, capsys, tmp_path, monkeypatch):
    def optimize(*given, **options):
        return replace(real(*given, **options), loss=float("nan"))

    real = train.step.optimize
    monkeypatch.setattr("train.loop.optimize", optimize)
    assert run(words) == 1
    shown = capsys.readouterr().err
    assert re.search(
        r"^error: step 0: the loss is nan .* Its rows: \w+/train/", shown, re.MULTILINE
    )
    assert not (tmp_path / "run" / "final").exists()


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], True),
        (["--init", "projector.bin"], False),  # it is trained already
        (["--init", "projector.bin", "--calibrate-connector"], True),
        (["--no-calibrate-connector"], False),
    ],
)
def test_only_a_new_connector_is_started_from_statistics(words, flags, expected):
    plan = make_plan(make_parser().parse_args([*words, *flags]))
    assert plan.recipe.calibrate is expected


def test_a_copy_per_host_needs_a_model_in_parts(words):
    """A CPU's model is whole by default, which is known before the model is read."""
    with pytest.raises(UsageError, match="--copy-per-host is for models in parts: give --sharded"):
        make_plan(make_parser().parse_args([*words, "--copy-per-host"]))
    plan = make_plan(make_parser().parse_args([*words, "--copy-per-host", "--sharded"]))
    assert plan.copy_per_host

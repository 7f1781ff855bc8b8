"""Nothing that `train` and `evaluate` print steers a terminal."""

import json
import shutil

import pytest

from tests.hostile import HOSTILE, assert_readable
from train.cli import run


@pytest.fixture
def shown(capsys):
    """Runs a command; returns its exit status, and has what it printed be text to read."""

    def call(*words):
        status = run([str(word) for word in words])
        printed = "".join(capsys.readouterr())
        assert_readable(printed)
        return status, printed

    return call


@pytest.mark.parametrize(
    "flags",
    [
        ["--recipe", HOSTILE],
        ["--shards", HOSTILE],
        ["--model", HOSTILE],
        ["--vision", HOSTILE],
        ["--split", HOSTILE],
        ["--weights", f"{HOSTILE}=1"],
        ["--weights", HOSTILE],
        ["--batch", HOSTILE],
        ["--precision", HOSTILE],
        ["--device", HOSTILE],
        ["--checkpoint", HOSTILE],
        [f"--{HOSTILE}"],
    ],
)
def test_words_of_the_command_line(flags, shown, proof_shards, towers, tmp_path):
    words = ["train", "--recipe", "regiongpt_pretrain", "--shards", proof_shards, "--dry-run"]
    words += [*towers["regiongpt"], "--device", "cpu", "--output", tmp_path / "run"]
    status, printed = shown(*words, *flags)
    assert status in (1, 2)
    assert printed.startswith("error: ")


def test_a_manifest_and_a_folder(shown, proof_shards, towers, tmp_path):
    folder = shutil.copytree(proof_shards, tmp_path / f"shards{HOSTILE}")
    words = ["train", "--recipe", "regiongpt_pretrain", "--shards", folder, "--dry-run"]
    words += [*towers["regiongpt"], "--device", "cpu", "--limit", "8"]
    words += ["--output", tmp_path / f"run{HOSTILE}"]
    assert shown(*words)[0] == 0
    path = folder / "manifest.json"
    whole = json.loads(path.read_text(encoding="utf-8"))
    for key in whole:
        path.write_text(json.dumps({**whole, key: HOSTILE}), encoding="utf-8")
        shown(*words)


@pytest.mark.parametrize(
    "flags",
    [
        ["--config", HOSTILE, "--shards", "x"],
        ["--config", "eval_pope", "--shards", HOSTILE, "--checkpoint", "x"],
        ["--config", "eval_pope", "--shards", HOSTILE, "--predictions", HOSTILE],
    ],
)
def test_errors_of_an_evaluation(flags, shown):
    status, printed = shown("evaluate", *flags)
    assert status == 2
    assert "x1b[2J" in printed

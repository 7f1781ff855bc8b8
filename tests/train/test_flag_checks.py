"""Mistakes in the flags of training, evaluation and asking are named before torch is imported."""

import json
import subprocess
import sys

import pytest

from model.checkpoint import files
from schemas.errors import InputFileError, UsageError

_PROGRAM = """\
import json, sys
from train.cli import run
statuses = [run(words) for words in json.load(sys.stdin)]
print(json.dumps([statuses, "torch" in sys.modules]))
"""
TRAIN = ["train", "--output", "x", "--shards", ".", "--recipe"]
MISTAKES = {
    (*TRAIN, "regiongpt_pretrian"): (
        "there is no recipe 'regiongpt_pretrian' for training; did you mean regiongpt_pretrain?"
    ),
    (*TRAIN, "regiongpt_pretrain", "--model", "regiongpt_7"): (
        "--model regiongpt_7: there is no such model; did you mean regiongpt_7b?"
    ),
    (*TRAIN, "regiongpt_pretrain"): (
        "--vision is missing: name both towers by --vision and --language, or an earlier model by "
        "--checkpoint"
    ),
    (*TRAIN, "regiongpt_pretrain", "--checkpoint", ".", "--rate", "3"): (
        "--rate is for the time that --dry-run prints: name both, or leave it out"
    ),
    (*TRAIN, "regiongpt_pretrain", "--checkpoint", ".", "--validate-on", "."): (
        "--validate-on goes with --validate-every N"
    ),
    (*TRAIN, "regiongpt_finetune", "--checkpoint", ".", "--copy-per-host", "--no-sharded"): (
        "--copy-per-host is for models in parts, which --no-sharded keeps whole: name one of them "
        "alone"
    ),
    (*TRAIN, "regiongpt_finetune", "--checkpoint", ".", "--lora", "8", "--copy-per-host"): (
        "adapters are few weights, which stay whole: leave out --copy-per-host"
    ),
    (*TRAIN, "regiongpt_finetune", "--checkpoint", ".", "--lora", "8", "--sharded"): (
        "adapters are few weights, which stay whole: leave out --sharded"
    ),
    (*TRAIN, "tiny_towers", "--shards", "nowhere"): "--shards nowhere: no such folder",
    ("evaluate", "--config", "eval_pop"): (
        "--config eval_pop: there is no such benchmark; did you mean eval_pope?"
    ),
    ("evaluate", "--config", "eval_pope"): (
        "name a model by --checkpoint, or a file of its answers by --predictions"
    ),
    ("evaluate", "--config", "eval_pope", "--shards", "nowhere", "--checkpoint", "."): (
        "--shards nowhere: no such folder"
    ),
    ("evaluate", "--config", "eval_dlc", "--judged", "nowhere"): "--judged nowhere: no such file",
    ("evaluate", "--config", "eval_pope", "--shards", ".", "--predictions", "nowhere"): (
        "--predictions nowhere: no such file"
    ),
    ("train-bench", "--output", "x", "--image-root", "."): "--image-root goes with --shards",
    ("train-bench", "--output", "."): "--output .: is there already; name another file",
    ("answer", "--checkpoint", ".", "--output", "x"): (
        "name a build by --shards, or pictures by --images, --regions and --question"
    ),
    ("chat", "--checkpoint", ".", "--port", "1"): "--port is for --web: name both, or leave it out",
    ("chat", "--checkpoint", ".", "--image", "nowhere"): "--image nowhere: no such file",
    ("chat", "--checkpoint", ".", "--image", "."): "--image .: a folder; expected a file",
    ("serve", "--checkpoint", "/nowhere"): (
        "/nowhere: no such folder, and no name of a model on the Hub (owner/model)"
    ),
}


def test_torch_is_not_imported_for_them():
    shown = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input=json.dumps([*map(list, MISTAKES)]),
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stderr.splitlines() == [f"error: {message}" for message in MISTAKES.values()]
    assert json.loads(shown.stdout) == [[2] * len(MISTAKES), False]


@pytest.mark.parametrize(
    ("name", "kind"), [("runs/z", UsageError), ("some-owner/model", InputFileError)]
)
def test_a_folder_that_is_not_there_is_no_fault_of_the_hub(name, kind, tmp_path, monkeypatch):
    def unreachable(*_, **__):
        raise OSError("no connection")

    (tmp_path / "runs" / "a").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(files, "snapshot_download", unreachable)
    with pytest.raises((UsageError, InputFileError)) as ended:
        files.local_folder(name)
    assert type(ended.value) is kind
    assert (
        str(ended.value) == f"{name}: no such folder, and not fetched from the Hub: no connection"
    )

"""A flag of `train` or `evaluate` acts or is refused; a test names each that is refused somewhere.

The flags are read from the parsers: each stands in a table below, with words beside which it is
refused, or is listed as one that acts beside whatever else is given.
"""

import argparse
from dataclasses import replace

import pytest

from schemas.errors import UsageError
from train.cli import make_parser, run
from train.data.build import Build
from train.plan import check_captions
from train.recipes import recipe_named

TOWERS = {"--vision", "--language"}
# Each: the flags, and a part of the refusal of one of them.
TRAIN = [
    (["--no-recapd"], "--no-recapd changes nothing here: leave it out, as regiongpt_pretrain"),
    (["--model", "proof_regiongpt", "--checkpoint", "x"], "leave out --model"),
    (["--init", "x", "--checkpoint", "x"], "leave out --vision, --language, --init"),
    (["--lora", "4"], "--lora is for stages that train the language model"),
    (["--qlora"], "--qlora needs --lora RANK"),
    (["--weights", "nope=2"], "--weights nope=: no such config"),
    (["--image-root", "."], "--image-root: the shards hold the pictures themselves"),
    (["--precision", "bfloat16"], "--precision bfloat16 needs a GPU"),
    (["--validate-every", "2"], "--validate-every needs rows of a split val"),
    (["--validate-on", "x"], "--validate-on goes with --validate-every"),
    (["--rate", "2"], "--rate is for the time that --dry-run prints"),
]
EVALUATE = [
    (["--checkpoint", "x", "--predictions", "x"], "name one, whose answers are scored"),
    (["--checkpoint", "x", "--baseline", "clip"], "name one, whose answers are scored"),
    (["--checkpoint", "x", "--clip-model", "x"], "--clip-model: it is for --baseline clip"),
    (["--checkpoint", "x", "--clip-weights", "x"], "--clip-weights: it is for --baseline clip"),
    (["--checkpoint", "x", "--judged", "x"], "takes no --judged"),
    (["--checkpoint", "x", "--regions", "box"], "takes no --regions"),
    (["--checkpoint", "x", "--seed", "2"], "--seed chooses the pictures of --limit"),
    (["--checkpoint", "x", "--encoder", "x"], "takes no --encoder"),
    (["--checkpoint", "x", "--colon-rule", "blank"], "takes no --colon-rule"),
    (["--checkpoint", "x", "--grouped"], "takes no --grouped"),
    (["--predictions", "x", "--batch", "2"], "--batch: it is for a model"),
    (["--predictions", "x", "--max-new-tokens", "2"], "--max-new-tokens: it is for a model"),
    (["--predictions", "x", "--choice-likelihood"], "--choice-likelihood: it is for a model"),
    (["--predictions", "x", "--device", "cpu"], "--device: it is for a model"),
    (["--predictions", "x", "--dtype", "float32"], "--dtype: it is for a model"),
    (["--predictions", "x", "--workers", "1"], "--workers: it is for a model"),
    (["--predictions", __file__, "--image-root", "."], "hold the pictures themselves"),
    (["--config", "eval_dlc", "--judged", "x", "--split", "val"], "--split: it is for answers"),
    (["--config", "eval_dlc", "--judged", "x", "--limit", "2"], "--limit: it is for answers"),
    (["--config", "eval_dlc", "--judged", "x", "--shards", "x"], "--shards: it is for answers"),
]
ALWAYS = {
    "train": {
        *("--recipe", "--shards", "--output", *TOWERS),  # needed by every run
        *("--split", "--limit", "--max-length"),  # about all rows
        *("--batch", "--micro-batch", "--learning-rate", "--epochs", "--max-steps", "--seed"),
        *("--spike", "--calibrate-connector", "--device", "--workers", "--sharded", "--recompute"),
        "--copy-per-host",
        *("--compile", "--checkpoint-every", "--keep", "--track", "--dry-run"),
    },
    "evaluate": {"--config", "--output"},  # needed by every evaluation
}
# Of every command: about what is printed; they are tried with the console.
PRINTED = {"--help", "--quiet", "--verbose", "--log-file", "--json"}


def flags_of(name: str) -> set[str]:
    (action,) = (
        action
        for action in make_parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    parser = action.choices[name]
    longest = (
        next((flag for flag in each.option_strings if flag.startswith("--")), each.dest)
        for each in parser._actions
    )
    return set(longest) - PRINTED


@pytest.mark.parametrize(("name", "table"), [("train", TRAIN), ("evaluate", EVALUATE)])
def test_each_flag_is_tried_or_always_acts(name, table):
    tried = {word for words, _ in table for word in words if word.startswith("--")}
    assert tried - ALWAYS[name] == flags_of(name) - ALWAYS[name]
    assert ALWAYS[name] <= flags_of(name)


@pytest.mark.parametrize(("flags", "message"), TRAIN, ids=[" ".join(row[0]) for row in TRAIN])
def test_a_flag_of_train_in_vain(flags, message, proof_shards, towers, tmp_path, capsys):
    words = ["train", "--recipe", "regiongpt_pretrain", "--shards", str(proof_shards)]
    words += ["--device", "cpu", "--output", str(tmp_path / "run"), *flags]
    words += [] if "--checkpoint" in flags else towers["regiongpt"]
    assert run(words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_captions_that_are_there_are_not_done_without(proof_shards, towers, tmp_path, capsys):
    """The proof build has no such captions: here its manifest says that it does."""
    build, recipe = Build.open(proof_shards), recipe_named("regiongpt_finetune")
    check_captions([build], recipe, "train", waived=True)
    shards = [
        shard.model_copy(update={"turns": {"region_detailed_caption": 1}})
        for shard in build.manifest.shards
    ]
    manifest = build.manifest.model_copy(update={"shards": tuple(shards)})
    with pytest.raises(UsageError, match="the shards have detailed captions, and they are used"):
        check_captions([replace(build, manifest=manifest)], recipe, "train", waived=True)


@pytest.mark.parametrize(("flags", "message"), EVALUATE, ids=[" ".join(row[0]) for row in EVALUATE])
def test_a_flag_of_evaluate_in_vain(flags, message, build_of, tmp_path, capsys):
    words = ["evaluate", *flags, "--output", str(tmp_path / "run")]
    if "--config" not in flags:
        words += ["--config", "eval_pope", "--shards", str(build_of("eval_pope"))]
    capsys.readouterr()  # of the build
    assert run(words) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()

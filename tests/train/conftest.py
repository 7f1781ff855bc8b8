"""A small build of the preset `proof`, which training reads."""

from pathlib import Path

import apache_beam  # noqa: F401 - before the tests begin, for the fixture `quick_beam`
import pytest
import torch
from transformers import CLIPVisionModel, LlamaForCausalLM, PreTrainedTokenizerFast

import regionforge
from model.presets import tiny_gpt4roi, tiny_regiongpt
from pipelines.recipes.recipe import Recipe
from train.data.build import Build
from train.data.rows import ShardRows
from train.stage0.tokenizer import train_tokenizer

# Tests run in several processes at once, and models this small gain nothing from a second thread.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def proof_shards(proof_world, made_once) -> Path:
    """The shards of the recipe `proof`, several a split."""
    recipe = regionforge.load_recipe("proof", shard_bytes=2**20)
    return made_once("proof_shards", lambda output: build(recipe, proof_world, output))


@pytest.fixture(scope="session")
def held_out(proof_world, made_once) -> Path:
    """The shards of the recipe `eval_v3det`, with a split `val` of 12 pictures at most."""
    recipe = regionforge.load_recipe("eval_v3det", limit=12)
    return made_once("held_out", lambda output: build(recipe, proof_world, output))


def build(recipe: Recipe, world: Path, output: Path) -> None:
    regionforge.launch(regionforge.make_plan(recipe, world, output))


@pytest.fixture(scope="session")
def tokenizer(proof_shards, made_once):
    """A tokenizer of 512 tokens, trained on the words of every fourth row of those shards."""

    def make(folder: Path) -> None:
        build = Build.open(proof_shards)
        rows = ShardRows(build, build.shards("train"))
        some = (rows[number] for number in range(0, len(rows), 4))
        texts = (message["content"] for row in some for message in row["messages"])
        train_tokenizer(texts, vocabulary=512).save_pretrained(folder)

    return PreTrainedTokenizerFast.from_pretrained(made_once("proof_tokenizer", make))


@pytest.fixture(scope="session")
def towers(tokenizer, made_once) -> dict[str, list[str]]:
    """The flags that name random towers of the tiny models, by the kind of model."""
    configs = {"gpt4roi": tiny_gpt4roi(), "regiongpt": tiny_regiongpt()}

    def make(root: Path) -> None:
        for kind, config in configs.items():
            torch.manual_seed(0)
            CLIPVisionModel(config.vision_config).save_pretrained(root / kind / "vision")
            LlamaForCausalLM(config.text_config).save_pretrained(root / kind / "language")
            tokenizer.save_pretrained(root / kind / "language")

    root = made_once("random_towers", make)
    return {
        kind: [
            *("--model", f"tiny_{kind}"),
            *("--vision", f"{root}/{kind}/vision", "--language", f"{root}/{kind}/language"),
        ]
        for kind in configs
    }

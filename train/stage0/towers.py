"""Stage 0 as a whole: both towers of a tiny model, from the shards of a build.

    OUTPUT/vision/      config.json, model.safetensors: transformers' CLIPVisionModel
    OUTPUT/language/    the same of a LlamaForCausalLM, and its tokenizer

They are opened as all towers are: `load_towers(config, vision=..., language=...)`.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from model.config import GPT4RoIConfig, RegionConfig
from train.data.rows import ShardRows
from train.stage0.dense import Categories
from train.stage0.fitting import Fitting
from train.stage0.language import build_tokenizer, train_language
from train.stage0.tower import train_tower

VISION, LANGUAGE = "vision", "language"

OnStep = Callable[[str, int, float], None]  # the tower, the step from 0, its loss


@dataclass(frozen=True, kw_only=True)
class TinyTowers:
    """The way in which both towers are trained."""

    vision: Fitting
    language: Fitting


def tiny_towers(config: RegionConfig, seed: int = 0) -> TinyTowers:
    """Return the settings with which the sample world's preset `proof` is learned.

    A language model stops early, as soon as it answers right: trained on, it grows so sure that the
    connector has nothing to learn from where its first embeddings are wrong. (After 400 steps,
    stage 1 knew colours alone to its end with one of two seeds, or a tenth of its answers stayed
    wrong.) GPT4RoI's conversations begin with all names, which takes a little longer.
    """
    steps = 240 if isinstance(config, GPT4RoIConfig) else 220
    return TinyTowers(
        vision=Fitting(steps=1000, batch=32, seed=seed),
        language=Fitting(steps=steps, batch=16, seed=seed),
    )


def make_towers(
    config: RegionConfig,
    rows: ShardRows,
    output: Path,
    recipe: TinyTowers,
    on_step: OnStep = lambda tower, step, loss: None,
) -> None:
    """Write the two towers of a model.

    Args:
        config: of the model; its vocabulary may be larger than the tokenizer's will be.
        rows: of a build, with regions that have categories.
        output: the folder to write `vision` and `language` into.
        recipe: see there.
        on_step: called after each step.
    """
    config = copy.deepcopy(config)
    categories = Categories(rows.categories())
    tower = train_tower(
        config, rows, categories, recipe.vision, lambda step, loss: on_step(VISION, step, loss)
    )
    tower.save_pretrained(output / VISION)
    tokenizer = build_tokenizer(config, rows)
    text = config.text_config
    text.vocab_size = len(tokenizer)
    text.bos_token_id, text.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    text.pad_token_id = tokenizer.pad_token_id
    language = train_language(
        config,
        rows,
        categories,
        tokenizer,
        recipe.language,
        lambda step, loss: on_step(LANGUAGE, step, loss),
    )
    language.save_pretrained(output / LANGUAGE)
    tokenizer.save_pretrained(output / LANGUAGE)

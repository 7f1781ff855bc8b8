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
from model.image_processor import RegionImageProcessor
from train.data.rows import ShardRows
from train.stage0.dense import Categories
from train.stage0.fitting import Fitting
from train.stage0.language import Phase, build_tokenizer, train_language
from train.stage0.stand_ins import from_categories, from_pictures
from train.stage0.tower import finest, train_tower

VISION, LANGUAGE = "vision", "language"

OnStep = Callable[[str, int, float], None]  # the tower, the step from 0, its loss


@dataclass(frozen=True, kw_only=True)
class TinyTowers:
    """The way in which both towers are trained."""

    vision: Fitting
    language: Fitting
    # The language model learns first from the rows that the vision tower has learned from, then in
    # this way from all, by what the tower sees: many tasks at once hide the classes of regions.
    afterwards: Fitting | None = None


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
    tower.tower.model.save_pretrained(output / VISION)
    tokenizer = build_tokenizer(config, rows)
    text = config.text_config
    text.vocab_size = len(tokenizer)
    text.bos_token_id, text.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    text.pad_token_id = tokenizer.pad_token_id
    stand_ins, everything = from_categories(categories), range(len(rows))
    phases = [Phase(everything, recipe.language)]
    if recipe.afterwards is not None:
        stand_ins = from_pictures(tower, RegionImageProcessor.from_config(config))
        phases = [Phase(finest(rows), recipe.language), Phase(everything, recipe.afterwards)]
    language = train_language(
        config,
        rows,
        stand_ins,
        tokenizer,
        phases,
        lambda step, loss: on_step(LANGUAGE, step, loss),
    )
    language.save_pretrained(output / LANGUAGE)
    tokenizer.save_pretrained(output / LANGUAGE)

"""The stages of training as named recipes: functions that return one, with the papers' values.

Sources: GPT4RoI, section 4 (its released code differs, see `gpt4roi_stage1`); RegionGPT, section
4.1. A recipe says how to train; what to train on are shards, made by `regionforge build`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from schemas.errors import UsageError
from schemas.near import near

if TYPE_CHECKING:  # it needs torch
    from train.data.example import RegionsAs

Precision = Literal["bfloat16", "float32"]  # of the computation; trained weights are float32


@dataclass(frozen=True, kw_only=True)
class TrainRecipe:
    """One stage of training."""

    name: str
    stage: str  # the parts that train, see `model.stages`
    builds: tuple[str, ...]  # recipes of `regionforge build` that it is meant for
    learning_rate: float  # at its highest
    batch: int  # rows of an optimizer step, of all processes
    epochs: int
    warmup_share: float = 0.03  # of all steps
    warmup_steps: int | None = None  # in place of a share
    weight_decay: Mapping[str, float] = field(default_factory=dict)  # by part; elsewhere 0
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    clip: float = 1.0  # the most that the gradient's norm may be
    max_length: int = 2048  # tokens of a row
    regions_as: "RegionsAs" = "half"
    calibrate: bool = False  # initialise the connector from a batch's statistics
    precision: Precision = "bfloat16"
    seed: int = 0


def gpt4roi_stage1() -> TrainRecipe:
    """Return GPT4RoI's first stage: the region encoder learns words (section 4.1).

    The released code differs: learning rate 2e-5, batch 4, weight decay 0.01 on the region encoder.
    """
    return TrainRecipe(
        name="gpt4roi_stage1",
        stage="gpt4roi_stage1",
        builds=("gpt4roi_stage1",),
        learning_rate=4e-5,
        batch=16,
        epochs=2,
        warmup_share=0.003,
        regions_as="box",
    )


def gpt4roi_stage2() -> TrainRecipe:
    """Return GPT4RoI's second stage: all but the vision tower (section 4.2)."""
    return TrainRecipe(
        name="gpt4roi_stage2",
        stage="gpt4roi_stage2",
        builds=("gpt4roi_stage2",),
        learning_rate=2e-5,
        batch=16,
        epochs=2,
        warmup_steps=3000,
        regions_as="box",
    )


def regiongpt_pretrain() -> TrainRecipe:
    """Return RegionGPT's first stage: refinement and the shared projector (section 4.1)."""
    return TrainRecipe(
        name="regiongpt_pretrain",
        stage="regiongpt_pretrain",
        builds=("regiongpt_pretrain",),
        learning_rate=1e-3,
        batch=256,
        epochs=1,
        calibrate=True,
    )


def regiongpt_finetune() -> TrainRecipe:
    """Return RegionGPT's second stage: the language model too (section 4.1)."""
    return TrainRecipe(
        name="regiongpt_finetune",
        stage="regiongpt_finetune",
        builds=("regiongpt_finetune",),
        learning_rate=2e-5,
        batch=128,
        epochs=1,
    )


def tiny_regiongpt_stage1() -> TrainRecipe:
    """Return the first stage of a tiny RegionGPT, on towers of stage 0."""
    return replace(
        regiongpt_pretrain(),
        name="tiny_regiongpt_stage1",
        builds=("proof",),
        batch=32,
        max_length=1024,
        precision="float32",  # on a CPU, bfloat16 takes twice as long at a width of 96
    )


def tiny_regiongpt_stage2() -> TrainRecipe:
    """Return the second stage of a tiny RegionGPT."""
    return replace(
        regiongpt_finetune(),
        name="tiny_regiongpt_stage2",
        builds=("proof",),
        learning_rate=5e-4,
        batch=64,
        max_length=1024,
        precision="float32",
    )


def tiny_gpt4roi_stage1() -> TrainRecipe:
    """Return the first stage of a tiny GPT4RoI, on towers of stage 0."""
    return replace(
        gpt4roi_stage1(),
        name="tiny_gpt4roi_stage1",
        builds=("proof",),
        learning_rate=2e-3,
        batch=32,
        epochs=1,
        warmup_share=0.06,  # with half of these steps, one of two seeds learned nothing
        max_length=1024,
        precision="float32",
    )


def tiny_gpt4roi_stage2() -> TrainRecipe:
    """Return the second stage of a tiny GPT4RoI."""
    return replace(
        gpt4roi_stage2(),
        name="tiny_gpt4roi_stage2",
        builds=("proof",),
        learning_rate=5e-4,
        batch=64,
        epochs=1,
        warmup_steps=None,
        max_length=1024,
        precision="float32",
    )


RECIPES: dict[str, Callable[[], TrainRecipe]] = {
    "gpt4roi_stage1": gpt4roi_stage1,
    "gpt4roi_stage2": gpt4roi_stage2,
    "regiongpt_pretrain": regiongpt_pretrain,
    "regiongpt_finetune": regiongpt_finetune,
    "tiny_gpt4roi_stage1": tiny_gpt4roi_stage1,
    "tiny_gpt4roi_stage2": tiny_gpt4roi_stage2,
    "tiny_regiongpt_stage1": tiny_regiongpt_stage1,
    "tiny_regiongpt_stage2": tiny_regiongpt_stage2,
}


def recipe_named(name: str) -> TrainRecipe:
    """Return a recipe by its name.

    Raises:
        UsageError: there is no such recipe.
    """
    if name not in RECIPES:
        raise UsageError(f"there is no recipe {name!r} for training; {near(name, RECIPES)}")
    return RECIPES[name]()

"""What is measured, in the order of what it says: each recipe in our way and in the plain one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Literal

import torch
from transformers import PreTrainedTokenizerBase

from model.config import RegionConfig
from model.processor import RegionProcessor, processor_for
from model.stages import STAGES
from schemas.errors import UsageError
from train.bench.mix import MixedRows, mixed_tokenizer
from train.data.example import TrainingRows
from train.data.rows import Rows
from train.layers import Recompute
from train.loop import Job
from train.processes import Processes
from train.recipes import TrainRecipe, recipe_named
from train.stage0.tokenizer import train_tokenizer
from train.start import preset_for, preset_named

Way = Literal["ours", "plain"]
PAPERS = ("regiongpt_finetune", "regiongpt_pretrain", "gpt4roi_stage2", "gpt4roi_stage1")
# Rows of a forward pass that have 8,192 tokens or more in the mix, so that products are large.
MICRO_BATCH = {
    "regiongpt_pretrain": 16,
    "regiongpt_finetune": 10,
    "gpt4roi_stage1": 16,  # a whole step
    "gpt4roi_stage2": 16,
}
_PASSES = 4  # of a step, at most
_TEXTS = 2000  # rows whose words a tokenizer is trained on


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all measurements share."""

    device: torch.device
    workers: int
    recompute: Recompute | None  # see `train.sharding.Layout`, as for the next
    compiled: bool | None
    micro_batch: int | None  # None: by the stage
    image_root: Path | None = None
    rows: Rows | None = None  # None: the mix


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model and a stage, of which the speed is measured."""

    recipe: TrainRecipe
    preset: str
    config: RegionConfig
    setting: Setting

    @property
    def micro_batch(self) -> int:
        """The rows of a forward pass."""
        return self.setting.micro_batch or MICRO_BATCH[self.recipe.stage]

    @classmethod
    def of(cls, name: str, preset: str | None, setting: Setting) -> "Subject":
        """Return the subject of a recipe: its steps are shortened to some forward passes.

        Raises:
            UsageError: there is no such recipe or preset, or they do not fit each other.
        """
        recipe = recipe_named(name)
        preset = preset_for(recipe) if preset is None else preset
        config = preset_named(preset)
        kind = STAGES[recipe.stage].model_type
        if config.model_type != kind:
            raise UsageError(f"--model {preset}: {name} trains a {kind} model, not this one")
        rows = setting.micro_batch or MICRO_BATCH[recipe.stage]
        precision = recipe.precision if setting.device.type == "cuda" else "float32"
        recipe = replace(recipe, batch=min(recipe.batch, _PASSES * rows), precision=precision)
        return cls(recipe=recipe, preset=preset, config=config, setting=setting)

    def rows(self) -> Rows:
        """Return the rows that are trained on."""
        return MixedRows(self.recipe.stage) if self.setting.rows is None else self.setting.rows

    def job(self, steps: int) -> Job:
        """Return the rows of so many steps, and how they are loaded."""
        return Job(
            rows=self.rows(),
            micro_batch=self.micro_batch,
            processes=Processes(device=self.setting.device),
            workers=self.setting.workers,
            max_steps=steps,
            image_root=self.setting.image_root,
            recompute=self.setting.recompute,
            compiled=self.setting.compiled,
        )

    @cached_property
    def processor(self) -> RegionProcessor:
        """The model's processor, with a tokenizer of the rows' own words."""
        return processor_for(self.config, self._tokenizer(), self.recipe.max_length)

    def examples(self) -> TrainingRows:
        """Return the rows as examples, as training makes them."""
        return TrainingRows(
            self.rows(),
            self.processor,
            seed=self.recipe.seed,
            regions_as=self.recipe.regions_as,
            image_root=self.setting.image_root,
        )

    def _tokenizer(self) -> PreTrainedTokenizerBase:
        rows = self.setting.rows
        if rows is None:
            return mixed_tokenizer(self.config)
        numbers = range(min(len(rows), _TEXTS))
        texts = (message["content"] for number in numbers for message in rows[number]["messages"])
        return train_tokenizer(texts, vocabulary=int(self.config.text_config.vocab_size))


def in_order(subjects: Sequence[Subject]) -> Iterator[tuple[Subject, Way]]:
    """Yield what is measured: of each model all stages in our way, and then in the plain one."""
    for _, alike in groupby(subjects, key=lambda subject: subject.preset):
        stages = list(alike)
        yield from ((subject, "ours") for subject in stages)
        yield from ((subject, "plain") for subject in stages)

"""The trainings that are looked at, and batches of their rows."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import islice
from typing import Any
from unittest.mock import patch

import torch
from torch import distributed
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.testing._internal.distributed.fake_pg import FakeStore
from torch.utils._python_dispatch import _disable_current_modes
from transformers import AutoModel

from model.batch import Example
from model.config import RegionConfig
from model.processor import RegionProcessor, processor_for
from model.region_model import RegionModel
from train import optim, sharding, step
from train.bench.mix import MixedRows, mixed_tokenizer
from train.bench.plan import MICRO_BATCH
from train.data.example import TrainingExample, TrainingRows
from train.data.loader import Key, Loading, MicroBatch
from train.layers import Recompute, prepare_layers
from train.loop import Job, prepare, schedule_of
from train.processes import Processes
from train.recipes import TrainRecipe, recipe_named
from train.start import preset_for, preset_named

CPU = torch.device("cpu")
BATCHES = 20  # micro-batches that are looked at


@dataclass(frozen=True, kw_only=True)
class Case:
    """A preset of 7 billion weights in one of its stages."""

    recipe: TrainRecipe
    config: RegionConfig
    rows: int  # of a micro-batch
    saved: float  # the most megabytes that a token may leave for the backward pass
    picture: float  # likewise of a picture

    @property
    def name(self) -> str:
        """The stage, which names the preset as well."""
        return self.recipe.name

    @property
    def trains_language(self) -> bool:
        """Whether the language model trains."""
        return self.saved > _FROZEN

    @property
    def recompute(self) -> Recompute:
        """What the backward pass computes again on a GPU, by default."""
        return "some" if self.trains_language else "none"


_FROZEN, _FULL = 3.0, 4.2
_REGIONGPT, _GPT4ROI = 90.0, 900.0
_CASES = (
    ("regiongpt_pretrain", _FROZEN, _REGIONGPT),
    ("regiongpt_finetune", _FULL, _REGIONGPT),
    ("gpt4roi_stage1", _FROZEN, _GPT4ROI),
    ("gpt4roi_stage2", _FULL, _GPT4ROI),
)
CASES = tuple(name for name, *_ in _CASES)


def case_named(name: str, **shape: int) -> Case:
    """Return a case, with another number of blocks or width of the language model where given."""
    (values,) = (values for values in _CASES if values[0] == name)
    recipe = recipe_named(name)
    config = preset_named(preset_for(recipe))
    for key, value in shape.items():
        setattr(config.text_config, key, value)
    rows = MICRO_BATCH[recipe.stage]
    return Case(recipe=recipe, config=config, rows=rows, saved=values[1], picture=values[2])


@dataclass
class Mix:
    """Micro-batches of the rows of `train.bench.mix`, as training deals those of a case."""

    case: Case
    processor: RegionProcessor = field(init=False)
    passes: int = field(init=False)  # micro-batches of a step of one process
    _rows: TrainingRows = field(init=False)

    def __post_init__(self) -> None:
        recipe = self.case.recipe
        tokenizer = mixed_tokenizer(self.case.config)
        self.processor = processor_for(self.case.config, tokenizer, recipe.max_length)
        self.passes = -(-recipe.batch // self.case.rows)
        self._rows = TrainingRows(
            MixedRows(recipe.stage),
            self.processor,
            seed=recipe.seed,
            regions_as=recipe.regions_as,
        )

    def examples(self, number: int = 0) -> list[Example]:
        """Return the rows of a micro-batch."""
        made = [self._rows[key] for key in self._parts[number]]
        return [row.example for row in made if isinstance(row, TrainingExample)]

    def micro(self, number: int = 0) -> MicroBatch:
        """Return a micro-batch."""
        return packed(self.processor, self.examples(number))

    def tokens(self) -> list[int]:
        """Return the numbers of tokens that are computed of the first `BATCHES` micro-batches."""
        return [computed_tokens(self.micro(number)) for number in range(BATCHES)]

    @cached_property
    def _parts(self) -> list[list[Key]]:
        """The rows of the first micro-batches, of as many steps as have `BATCHES` of them."""
        job = job_of(self.case, Processes(device=CPU))
        steps = schedule_of(self.case.recipe, job, self.case.config).steps()
        loading = Loading(micro_batch=self.case.rows)
        few = islice(steps, -(-BATCHES // self.passes))
        return [keys for step in few for keys in loading.parts(step)]


def packed(processor: RegionProcessor, examples: Sequence[Example]) -> MicroBatch:
    """Return examples as a micro-batch, packed."""
    return MicroBatch(
        batch=processor.collate(examples, packed=True),
        ids=tuple(str(number) for number in range(len(examples))),
        supervised=sum(label >= 0 for example in examples for label in example.labels or ()),
        tokens=sum(len(example.input_ids) for example in examples),
        dropped_turns=0,
        rejected=(),
    )


def computed_tokens(micro: MicroBatch) -> int:
    """Return the number of a micro-batch's tokens; what its rows begin with counts once."""
    assert micro.batch is not None
    return micro.batch["input_ids"].numel()


@contextmanager
def as_on_cuda() -> Iterator[None]:
    """Have training choose types and optimizer as it does for a GPU."""

    def in_bfloat16(precision: str, _device: torch.device) -> bool:
        return precision == "bfloat16"

    def fused(*args: Any, **options: Any) -> torch.optim.Optimizer:
        return torch.optim.AdamW(*args, **{**options, "fused": True})

    def of_numbers(*args: Any, **options: Any) -> DeviceMesh:
        with _disable_current_modes():
            return init_device_mesh(*args, **options)

    with ExitStack() as stack:
        for module in (sharding, step):
            stack.enter_context(patch.object(module, "computes_in_bfloat16", in_bfloat16))
        stack.enter_context(patch.object(optim, "AdamW", fused))
        stack.enter_context(patch.object(sharding, "init_device_mesh", of_numbers))
        yield


@contextmanager
def pretended_group(world: int) -> Iterator[Processes]:
    """Yield the first of some processes whose sums are never sent."""
    distributed.init_process_group("fake", store=FakeStore(), rank=0, world_size=world)
    try:
        yield Processes(device=CPU, world=world)
    finally:
        distributed.destroy_process_group()


def job_of(case: Case, processes: Processes) -> Job:
    """Return how a case is trained; what the backward pass computes again is said elsewhere."""
    return Job(
        rows=MixedRows(case.recipe.stage),
        micro_batch=case.rows,
        processes=processes,
        sharded=case.trains_language,  # as by default on a GPU
        recompute="none",
        compiled=False,  # a compiler needs real tensors
    )


def laid_out(case: Case, processes: Processes, layers: Recompute) -> RegionModel:
    """Return the model of a case as training lays it out, in training mode.

    Args:
        case: see there.
        processes: see there.
        layers: what the backward pass computes again of the language model.
    """
    model: RegionModel = AutoModel.from_config(case.config)
    prepare(model, case.recipe, job_of(case, processes))
    prepare_layers(sharding.language_parts(model), layers, compiled=False)
    if case.recompute != "none":
        prepare_layers(sharding.norms_of_maps(model), "all", compiled=False)
    model.train()
    return model


run_step = partial(step.optimize, clip=1.0, precision="bfloat16")

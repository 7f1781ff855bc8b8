"""A step of training on packed rows compared with one on padded rows, on the CPU.

Rows are those of the recipe `regiongpt_finetune` on the sample world, eight a step, in the order of
an epoch; they are read and encoded before. The peer trains the same model by transformers'
defaults: rows padded on the right to the longest, with their mask, and logits for every token. A
third run is ours in all but the packing: padded rows whose supervised tokens alone have logits.
All three take turns at every step, with the same weights and rows, in one thread; the ratio is one
of processor seconds, as a busy machine changes the wall time of all.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import torch

from model.attention import ATTENTION_NAME
from model.batch import Example, RegionBatch
from model.presets import proof_regiongpt
from model.processor import RegionProcessor, processor_for
from model.region_model import RegionGPTForConditionalGeneration, RegionModel
from model.stages import freeze_for
from pipelines.sample_world import write_world
from train.data.build import Build
from train.data.example import TrainingExample, TrainingRows
from train.data.loader import Schedule
from train.data.rows import ShardRows
from train.optim import make_optimizer
from train.recipes import recipe_named
from train.stage0.tokenizer import train_tokenizer
from train.step import batch_loss, clip_gradients

TARGET = 0.7  # of the peer's time of a row
_RECIPE = recipe_named("regiongpt_finetune")
_BATCH, _STEPS, _WARMUP = 8, 40, 3
_VOCABULARY = 1000
_CPU = torch.device("cpu")
Loss = Callable[[RegionModel, RegionBatch, int], torch.Tensor]


def measure_steps(data: Path) -> None:
    """Draw and build what is missing, run the steps, and print the ratios and the padding."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    build = _built(data / "finetune_shards", data / "sample_world")
    rows = ShardRows(build, build.shards("train"))
    texts = (message["content"] for row in rows for message in row["messages"])
    processor = processor_for(proof_regiongpt(), train_tokenizer(texts, vocabulary=_VOCABULARY))
    steps = _steps(rows, processor)
    lengths = [[len(example.input_ids) for example in step] for step in steps]
    padded = sum(len(step) * max(step) for step in lengths)
    share = 1 - sum(map(sum, lengths)) / padded
    print(f"\ntraining on packed rows: {len(steps)} steps of {_BATCH} rows, {_RECIPE.name}")
    print(f"  target: {TARGET} of the time of padded rows with transformers' defaults", flush=True)
    plain, ours_padded, packed = _seconds(steps, processor)
    print(
        f"  packed: {packed / plain:.2f} of the padded time of a row"
        f"{' MISSED' if packed / plain > TARGET else ''}, {packed / ours_padded:.2f} of that of "
        f"padded rows with our loss; padding is {share:.0%} of the padded tokens"
    )
    count = len(steps) * _BATCH / 1000
    print(
        f"  milliseconds of a row: {packed / count:.1f} packed, {ours_padded / count:.1f} padded "
        f"with our loss, {plain / count:.1f} padded with the defaults",
        flush=True,
    )
    torch.set_num_threads(threads)


def _steps(rows: ShardRows, processor: RegionProcessor) -> list[list[Example]]:
    """Return the rows of some steps that an epoch begins with, but for those that are too long."""
    ids = rows.ids()
    schedule = Schedule(
        ids=ids, costs=rows.characters().astype(float), batch=_BATCH, epochs=1, seed=0
    )
    examples = TrainingRows(rows, processor, seed=0)
    made = ([examples[0, number] for number in step.rows.tolist()] for step in schedule.steps())
    whole = ([row.example for row in step if isinstance(row, TrainingExample)] for step in made)
    return list(islice((step for step in whole if len(step) == _BATCH), _STEPS))


def _seconds(steps: Sequence[Sequence[Example]], processor: RegionProcessor) -> list[float]:
    """Return the processor seconds of all steps of each way, after some to warm up."""
    ways: list[tuple[str, bool, Loss]]
    ways = [("sdpa", False, _plain_loss), (ATTENTION_NAME, False, _our_loss)]
    ways += [(ATTENTION_NAME, True, _our_loss)]
    arms = [(_model(attention), packed, loss) for attention, packed, loss in ways]
    optimizers = [make_optimizer(model, _RECIPE) for model, _, _ in arms]
    seconds = [0.0] * len(ways)
    for number, step in enumerate([*steps[:_WARMUP], *steps]):
        supervised = sum(label >= 0 for example in step for label in example.labels or ())
        for arm, (model, packed, loss) in enumerate(arms):
            batch = processor.collate(step, packed=packed)
            if loss is _plain_loss:
                batch["attention_mask"] = _present(step)
            begun = time.process_time()
            optimizers[arm].zero_grad(set_to_none=True)
            loss(model, batch, supervised).backward()
            clip_gradients([p for p in model.parameters() if p.requires_grad], _RECIPE.clip)
            optimizers[arm].step()
            seconds[arm] += (time.process_time() - begun) * (number >= _WARMUP)
    return seconds


def _model(attention: str) -> RegionModel:
    """Return the model with random weights, the same each time."""
    torch.manual_seed(0)
    model = RegionGPTForConditionalGeneration(proof_regiongpt())
    freeze_for(model, _RECIPE.stage)
    model.set_attn_implementation({"text_config": attention})
    model.train()
    return model


def _plain_loss(model: RegionModel, batch: RegionBatch, supervised: int) -> torch.Tensor:
    inputs = {name: batch[name] for name in batch if not name.startswith("loss_")}
    loss: torch.Tensor = model(**inputs, num_items_in_batch=supervised).loss
    return loss


def _present(step: Sequence[Example]) -> torch.Tensor:
    """Return the mask of rows that are padded on the right."""
    lengths = torch.tensor([len(example.input_ids) for example in step])
    return (torch.arange(int(lengths.max())) < lengths[:, None]).long()


def _our_loss(model: RegionModel, batch: RegionBatch, supervised: int) -> torch.Tensor:
    return batch_loss(model, batch, supervised, "float32", _CPU)


def _built(output: Path, world: Path) -> Build:
    if not (output / "manifest.json").exists():
        write_world(world, "small")
        command = [sys.executable, "-m", "pipelines", "build", "--recipe", _RECIPE.builds[0]]
        command += ["--no-recapd", "--label-set", "coco=Shapes-15", "--label-set", "lvis=Shapes-15"]
        command += ["--data-root", str(world), "--output", str(output)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return Build.open(output)

"""Training as plain library code does it, to compare with: rows padded to the longest of a batch.

What is library code's usual way: transformers' attention with a padding mask, logits of every
token, each block's activations computed again in the backward pass, a value of the loss read in
each step. Autocast to bfloat16, trained weights in float32, and torch's fused AdamW, as
transformers' own trainer has them. Batches are made before the clock starts: it waits for none.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

import torch

from model.batch import Example, RegionBatch
from model.processor import RegionProcessor
from model.region_model import RegionModel
from model.stages import freeze_for
from train.bench.clock import STEPS, WARM_UP, Clock, Enough
from train.bench.plan import Subject
from train.data.example import TrainingExample
from train.data.loader import Loading
from train.loop import schedule_of
from train.optim import make_optimizer
from train.sharding import computes_in_bfloat16, set_types


def train_plainly(model: RegionModel, subject: Subject, clock: Clock) -> None:
    """Train until the clock ends it.

    Raises:
        Enough: the clock has ended it.
    """
    recipe, device = subject.recipe, subject.setting.device
    half = computes_in_bfloat16(recipe.precision, device)
    freeze_for(model, recipe.stage)
    set_types(model, frozen=torch.bfloat16 if half else torch.float32)
    model.set_attn_implementation({"text_config": "sdpa"})
    _recompute_all(model)
    model.train()
    optimizer = make_optimizer(model, recipe)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    for batches, ids in list(_steps(subject)):
        supervised = sum(int((batch["labels"] >= 0).sum()) for batch in batches)
        optimizer.zero_grad(set_to_none=True)
        for batch in batches:
            inputs = {name: batch[name].to(device, non_blocking=True) for name in batch}
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                loss = model(**inputs, num_items_in_batch=supervised).loss
            loss.backward()
            loss.item()
        torch.nn.utils.clip_grad_norm_(trained, recipe.clip)
        optimizer.step()
        computed = sum(batch["input_ids"].numel() for batch in batches)
        clock.after(ids, computed=computed, waited=0.0)
    raise Enough


def _recompute_all(model: RegionModel) -> None:
    """Have every block computed again in the backward pass."""
    enable = getattr(model, "activation_checkpointing_enable", None)  # of newer transformers
    (enable or model.gradient_checkpointing_enable)({"use_reentrant": False})


def _steps(subject: Subject) -> Iterator[tuple[list[RegionBatch], list[str]]]:
    """Yield the batches of each step, and the ids of its rows."""
    job, examples = subject.job(WARM_UP + STEPS), subject.examples()
    loading = Loading(micro_batch=job.micro_batch)
    for step in islice(schedule_of(subject.recipe, job, subject.config).steps(), WARM_UP + STEPS):
        made = [[examples[key] for key in part] for part in loading.parts(step)]
        kept = [[row for row in part if isinstance(row, TrainingExample)] for part in made]
        batches = [
            _padded(subject.processor, [row.example for row in part]) for part in kept if part
        ]
        yield batches, [row.id for part in kept for row in part]


def _padded(processor: RegionProcessor, examples: Sequence[Example]) -> RegionBatch:
    """Return rows padded on the right, with their mask, and labels for all logits."""
    batch = processor.collate(examples)
    lengths = torch.tensor([len(example.input_ids) for example in examples])
    batch["attention_mask"] = (torch.arange(int(lengths.max())) < lengths[:, None]).long()
    kept = {name: batch[name] for name in batch if not name.startswith("loss_")}
    return RegionBatch(kept)

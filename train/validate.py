"""The loss on rows that are not trained on, and some answers of the model to their questions.

RUN/samples/step-00000500.json
[{"id": "v3det/val/7/...", "question": "<image>\\nWhat is in <region1>?",
  "expected": "red star", "answer": "red star"}, ...]
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from model.attention import ATTENTION_NAME
from model.processor import RegionProcessor
from model.region_model import RegionModel
from schemas.ids import Hasher
from train.data.example import TrainingExample, TrainingRows
from train.data.mix import SomeRows
from train.data.pictures import picture_bytes
from train.data.rows import Row, Rows
from train.plan import Plan
from train.processes import Processes
from train.run import write_json
from train.sharding import computes_in_bfloat16, is_sharded
from train.step import EMPTY, batch_loss

_ROWS = 256  # whose loss is taken
_ANSWERS = 6
_WORDS = 64  # tokens of an answer, at most
FOLDER = "samples"


class Validation:
    """The rows that a run is validated on, the same each time."""

    def __init__(self, plan: Plan, processor: RegionProcessor, processes: Processes) -> None:
        assert plan.validation is not None
        self._plan = plan
        self._processor = processor
        self._processes = processes
        self._rows: Rows = SomeRows(plan.validation, _ROWS, seed=0)

    @torch.no_grad()
    def run(self, model: RegionModel, steps: int) -> float:
        """Return the loss per supervised token, and write the sample answers.

        Args:
            model: in training mode, as it is again afterwards.
            steps: that are done.
        """
        random = torch.get_rng_state()
        model.eval()
        try:
            loss = self._loss(model)
            answers = self._answers(model)
        finally:
            model.set_attn_implementation({"text_config": ATTENTION_NAME})
            model.train()
            torch.set_rng_state(random)
        if self._processes.leads:
            write_json(samples_path(self._plan.output, steps), answers)
        return loss

    def _loss(self, model: RegionModel) -> float:
        """Return the mean over all supervised tokens, each process taking a part of the rows."""
        recipe, world = self._plan.recipe, self._processes.world
        examples = TrainingRows(
            self._rows,
            self._processor,
            seed=recipe.seed,
            regions_as=recipe.regions_as,
            image_root=self._plan.image_root,
        )
        total = torch.zeros((), device=self._processes.device)
        supervised = 0
        size = self._plan.micro_batch
        numbers = range(self._processes.rank, len(self._rows), world)
        # In parts, a forward pass is one of all processes: each makes as many as the first.
        for start in range(0, -(-len(self._rows) // world), size):
            made = [examples[0, number] for number in numbers[start : start + size]]
            kept = [row for row in made if isinstance(row, TrainingExample)]
            whole = [row.example for row in kept]
            batch = self._processor.collate(whole, packed=True) if kept else EMPTY
            if kept or is_sharded(model):
                device = self._processes.device
                total += batch_loss(model, batch, 1, recipe.precision, device)
                supervised += sum(row.supervised for row in kept)
        (count,) = self._processes.sums([supervised])
        return self._processes.sum(total) / max(1, count)

    def _answers(self, model: RegionModel) -> list[dict[str, Any]]:
        """Return answers; in parts, all processes make the same ones, and else the first alone."""
        if not (is_sharded(model) or self._processes.leads):
            return []
        model.set_attn_implementation({"text_config": "sdpa"})
        hasher = Hasher("answers")
        ids = self._rows.ids()
        chosen = sorted(range(len(ids)), key=lambda number: hasher.rank(ids[number]))[:_ANSWERS]
        return [self._answer(model, self._rows[number]) for number in chosen]

    def _answer(self, model: RegionModel, row: Row) -> dict[str, Any]:
        """Return the model's answer to a row's first question, beside the one expected."""
        question, expected = _first_turn(row["messages"])
        regions = None if row["image"] is None else [row["regions"]]
        picture = picture_bytes(row, self._plan.image_root)
        batch = self._processor.apply_chat_template(
            [question],
            images=None if picture is None else [picture],
            regions=regions,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
        )
        inputs = {name: tensor.to(self._processes.device) for name, tensor in batch.items()}
        half = computes_in_bfloat16(self._plan.recipe.precision, self._processes.device)
        with torch.autocast(self._processes.device.type, torch.bfloat16, enabled=half):
            ids = model.generate(
                **inputs,
                **self._processor.stopping(),
                do_sample=False,
                max_new_tokens=_WORDS,
                synced_gpus=is_sharded(model) and self._processes.world > 1,  # none ends early
            )
        (answer,) = self._processor.post_process_image_text_to_text(ids)
        return {
            "id": row["id"],
            "question": question[-1]["content"],
            "expected": expected,
            "answer": answer,
        }


def _first_turn(messages: Sequence[dict[str, str]]) -> tuple[list[dict[str, str]], str]:
    """Return the messages before a row's first answer, and that answer."""
    end = next(k for k, message in enumerate(messages) if message["role"] == "assistant")
    return list(messages[:end]), messages[end]["content"]


def samples_path(run: Path, steps: int) -> Path:
    """Return the file of the answers after a number of steps."""
    return run / FOLDER / f"step-{steps:08d}.json"

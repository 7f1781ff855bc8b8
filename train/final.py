"""The model of a finished run, in the form that transformers opens, with a card.

RUN/final/      config.json, model*.safetensors, generation_config.json, the processor with its
                tokenizer and chat_template.jinja, README.md

The weights are in the precision of the computation, as the papers' released models are: bfloat16
where a GPU has trained in it. A checkpoint has the float32 weights, from which training goes on; so
does a next stage that starts from a checkpoint's folder instead of the run's.
"""

import shutil
from collections.abc import Mapping
from typing import Any

import torch

from model.checkpoint.new_folder import new_folder
from model.processor import RegionProcessor
from schemas.layout import CARD
from train.plan import Plan
from train.processes import Processes
from train.sharding import computes_in_bfloat16, whole_model
from train.start import FINAL

_CARD = """\
---
library_name: transformers
pipeline_tag: image-text-to-text
tags: [regionforge, {kind}]
---

# {title}

A {kind} model, trained by `regionforge train` on instructions about regions of pictures.

    import regionforge
    from transformers import AutoModelForImageTextToText, AutoProcessor

    regionforge.RegionProcessor  # makes the models known to transformers
    model = AutoModelForImageTextToText.from_pretrained("{folder}")
    processor = AutoProcessor.from_pretrained("{folder}")

| | |
|---|---|
{rows}

## Data

{data}

The licences of the data are named in the README.md of each build.
"""


def save_final(
    model: Any,
    processor: RegionProcessor,
    plan: Plan,
    processes: Processes,
    record: Mapping[str, Any],
) -> None:
    """Write the model of a run, whole or not at all; all processes have to call this.

    Adapters are merged, but for a quantized model, of which they alone are saved.

    Args:
        model: as it has been trained.
        processor: the model's.
        plan: the run's.
        processes: those that take part.
        record: the run's, with `steps`.

    Raises:
        UsageError: it cannot be written.
    """
    if not plan.start.quantized:
        if hasattr(model, "peft_config"):
            model = model.merge_and_unload()
        half = computes_in_bfloat16(plan.recipe.precision, processes.device)
        model = whole_model(model, torch.bfloat16 if half else torch.float32, processes)
    if not processes.leads:
        return
    final = plan.output / FINAL
    unfinished = plan.output / f"{FINAL}-new"
    shutil.rmtree(unfinished, ignore_errors=True)
    with new_folder(unfinished) as folder:
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
        (folder / CARD).write_text(card(plan, record), encoding="utf-8")
    shutil.rmtree(final, ignore_errors=True)
    unfinished.rename(final)


def card(plan: Plan, record: Mapping[str, Any]) -> str:
    """Return the model's card: its data by their digests, the recipe, and the code's version."""
    recipe = plan.recipe
    start = plan.start
    towers = start.checkpoint or f"{start.vision} and {start.language}"
    facts = {
        "Recipe": f"`{recipe.name}` (stage `{recipe.stage}`)",
        "Started from": towers,
        "Steps": f"{record['steps']:,} of {recipe.batch} rows",
        "Learning rate": f"{recipe.learning_rate:g}, cosine",
        "Seed": str(recipe.seed),
        "Precision": ", ".join(f"{key} {word}" for key, word in record["precision"].items()),
        "Versions": ", ".join(
            f"{name} {number}" for name, number in record["starts"][-1]["versions"].items()
        ),
    }
    data = "\n".join(
        f"- `{build['recipe']}`, manifest SHA-256 `{build['manifest_sha256']}`"
        for build in record["data"]
    )
    return _CARD.format(
        kind=recipe.stage.partition("_")[0],
        title=plan.output.resolve().name,
        folder=f"{plan.output.name}/{FINAL}",
        rows="\n".join(f"| {key} | {value} |" for key, value in facts.items()),
        data=data,
    )

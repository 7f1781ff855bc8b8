"""All tasks at once: one tiny RegionGPT on the recipe `proof`, from stage 0 to stage 2.

Stage 2 reads every row; so does the language model of stage 0, once it knows the classes of
regions. Stage 1 reads the classification of regions alone, which is what a connector of this size
needs: a word for what a region shows.
"""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from model.checkpoint.new_folder import new_folder
from model.presets import proof_regiongpt
from train.data.build import Build
from train.data.rows import ShardRows
from train.learns.chain import Report, load_tiny, ready_towers, run_stage
from train.recipes import recipe_named
from train.stage0.fitting import Fitting
from train.stage0.towers import tiny_towers

SECONDS = 1500.0  # CPU time of the process at most, for the three stages
_FIRST = "v3det"  # the config that stage 1 reads
_LANGUAGE_STEPS = 600  # on all rows


@dataclass(frozen=True, kw_only=True)
class Bar:
    """The least value of a figure of an evaluation, in per cent."""

    config: str
    figure: str
    least: float  # of the way from the figure "chance" to 100, if `halfway`
    halfway: bool = False
    missed: bool = False  # by every try so far: a fault only once it holds, as the mark is old then


BARS = (
    Bar(config="eval_v3det", figure="accuracy", least=95.0),
    Bar(config="eval_pope", figure="accuracy", least=75.0, missed=True),
    Bar(config="eval_vcr", figure="Q->A", least=25.0 + 15.0),  # chance + 15
    Bar(config="eval_vcr", figure="QA->R", least=25.0 + 15.0),
    Bar(config="eval_vcr", figure="Q->AR", least=6.25 + 15.0),
    Bar(config="eval_rec", figure="accuracy", least=50.0, halfway=True, missed=True),
)
CONFIGS = tuple(dict.fromkeys(bar.config for bar in BARS))


def learn_all(build: Build, output: Path, seed: int, report: Report) -> Path:
    """Return the folder of a model that is trained on all tasks, and its processor.

    It is as it was where it is there already.

    Args:
        build: of the recipe `proof`.
        output: a folder for towers and model.
        seed: of all.
        report: called with a line of progress.
    """
    final = output / "final"
    if final.exists():
        return final
    config = proof_regiongpt()
    rows = ShardRows(build, build.shards("train"))
    first = ShardRows(build, build.shards("train", [_FIRST]))
    start = time.process_time()
    afterwards = Fitting(steps=_LANGUAGE_STEPS, batch=32, seed=seed)
    towers = replace(tiny_towers(config, seed), afterwards=afterwards)
    ready_towers(config, rows, output, towers, report)
    model, processor = load_tiny(config, output, seed)
    for name, some in (("tiny_regiongpt_stage1", first), ("tiny_regiongpt_stage2", rows)):
        run_stage(model, processor, replace(recipe_named(name), seed=seed), some, report)
    seconds = time.process_time() - start
    with new_folder(final) as folder:
        model.save_pretrained(folder)
        processor.save_pretrained(folder)
    (output / "seconds.json").write_text(f"{json.dumps(seconds)}\n", encoding="utf-8")
    return final


def faults(reports: Mapping[str, Iterable[Mapping[str, Any]]]) -> list[str]:
    """Return what is wrong with the figures of each evaluation's report: a line a bar."""
    return [fault for bar in BARS if (fault := _fault(bar, list(reports[bar.config])))]


def _fault(bar: Bar, figures: Iterable[Mapping[str, Any]]) -> str:
    values = {figure["name"]: figure["value"] for figure in figures if not figure["group"]}
    least = bar.least
    if bar.halfway:
        chance = values["chance"]
        least = chance + (100 - chance) * bar.least / 100
    value = values.get(bar.figure, 0.0)
    line = f"{bar.config}: {bar.figure} {value:.2f}, expected {least:.2f} at least"
    if bar.missed:
        return f"{line}: it holds now, so it is missed no more" if value >= least else ""
    return "" if value >= least else line

"""The demonstration's last part: a tiny model is trained in two stages, and asked.

towers of `regionforge.tiny_towers` -> train, stage 1 -> evaluate -> train, stage 2 -> evaluate

Training reads 300 drawn pictures; the questions are about 100 others. The commands are printed, and
run as if they were typed, but in this process: another one would import PyTorch first.
"""

import shlex
from pathlib import Path

from pipelines.plan import make_plan
from pipelines.recipes.load import load_recipe, make_recipe
from pipelines.runner.launch import LaunchOptions, launch
from pipelines.sample_world import write_world
from pipelines.storage.extras import require
from regionforge import tiny_towers
from schemas.console import Console, output_words
from schemas.errors import UsageError
from schemas.interruption import EXIT_INTERRUPTED, EXIT_TERMINATED, Terminated

_SEED = 1  # of the pictures: the towers have seen those of seed 0
_TURNS = {"name": "v3det", "splits": ["train"], "tasks": ["region_classification"]}
_TRAINING = {"name": "shapes", "sources": [{**_TURNS, "per_category": "all"}]}
_QUESTIONS = "eval_v3det"
# Small batches make many steps of few rows.
_STAGES = {
    "tiny_regiongpt_stage1": ("--batch", "8", "--epochs", "5"),
    "tiny_regiongpt_stage2": ("--batch", "16", "--epochs", "3"),
}
_QUICK = ("--workers", "0", "--device", "cpu")  # pictures are small: one process does it all


def train_and_ask(console: Console, output: Path, max_steps: int | None) -> bool:
    """Train a tiny model on drawn pictures, and have its answers about others scored and shown.

    Without the extra `train` it says so, and does nothing.

    Args:
        console: to print on.
        output: the demonstration's folder.
        max_steps: of each stage; None: all.

    Returns:
        False if training failed, which has said why.
    """
    try:
        require("train", "training")
    except UsageError as missing:
        console.print(f"left out: {missing}")
        return True
    world, shards, questions = (output / f"proof_{name}" for name in ("world", "shards", "eval"))
    write_world(world, "small", preset="proof", seed=_SEED)
    for recipe, folder in ((_TRAINING, shards), (load_recipe(_QUESTIONS), questions)):
        plan = make_plan(make_recipe(recipe, str(recipe["name"])), str(world), str(folder))
        launch(plan, LaunchOptions())
    start = ["--vision", str(tiny_towers.VISION), "--language", str(tiny_towers.LANGUAGE)]
    ask = ["evaluate", "--config", _QUESTIONS, "--shards", str(questions), "--batch", "64", *_QUICK]
    steps = [] if max_steps is None else ["--max-steps", str(max_steps)]
    run = output
    for number, (name, flags) in enumerate(_STAGES.items(), start=1):
        run = output / f"run_stage{number}"
        words = ["--recipe", name, "--shards", str(shards), "--output", str(run)]
        train = ["train", *words, *start, *flags, *steps, *_QUICK]
        if not (_run(console, train) and _run(console, [*ask, "--checkpoint", str(run)])):
            return False
        start = ["--checkpoint", str(run)]
    page = run / "evaluation" / _QUESTIONS / "report.html"
    console.print(f"open {page.resolve()} in a browser", soft_wrap=True)
    return True


def _run(console: Console, words: list[str]) -> bool:
    """Run a command of ours on one thread; return whether it went through.

    Raises:
        KeyboardInterrupt: a signal ended it, which ends the demonstration, too.
    """
    import torch

    from train.cli import run

    console.print(f"$ {shlex.join(['regionforge', *words])}", soft_wrap=True)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so small a model gains nothing from a second one
    try:
        status = run([*words, *output_words()])
    finally:
        torch.set_num_threads(threads)
    if status in (EXIT_INTERRUPTED, EXIT_TERMINATED):
        raise Terminated if status == EXIT_TERMINATED else KeyboardInterrupt
    return status == 0

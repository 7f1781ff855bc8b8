"""`make learns`: tiny models learn the sample world's preset `proof`, from stage 0 to stage 2.

    python -m bench.learns [--data DIR] [--seed N] [--shuffled KIND] [regiongpt] [gpt4roi]
    python -m bench.learns [--data DIR] [--seed N] --world hard [regiongpt]

The world has 9,000 pictures to train on, and 700 of another seed to judge by, with about 2,800
regions; the world `hard`, of which a RegionGPT is shown pictures of 112 pixels, has 2,800 and 900.
Two controls must fail: questions about the picture and box of another row, and a model
that is trained on shuffled answers. Each kind has a process of one thread. Times are CPU seconds of
the process. The end is 1 where a bar of `train.learns.chain` is missed. What is answered exactly is
also printed by size and by shape.
"""

import argparse
import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import torch

from bench.proof_world import DATA, HELD_OUT, built, report, v3det_world
from pipelines.runner.pool_processes import ended_children, follow_parent
from pipelines.sample_world.world import Preset, Size
from schemas.process import run_process
from train.data.build import Build
from train.data.rows import ShardRows
from train.learns.answers import questions_of
from train.learns.by_kind import table
from train.learns.chain import CHAINS, HARD_CHAINS, Chain, learn, learn_shuffled
from train.learns.shuffled import ShuffledAnswers

# The chains of each world, and the size of the one to judge by.
WORLDS: dict[Preset, tuple[dict[str, Chain], Size]] = {
    "proof": (CHAINS, "medium"),
    "hard": (HARD_CHAINS, "large"),
}


def main() -> int:
    """Draw, build, train and judge; return 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", choices=[*CHAINS, []], metavar="KIND")
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument(
        "--shuffled", choices=CHAINS, action="append", default=[], help="a kind with the control"
    )
    parser.add_argument("--world", choices=WORLDS, default="proof", metavar="proof|hard")
    args = parser.parse_args()
    chains, judged = WORLDS[args.world]
    worlds = (
        v3det_world(args.data, args.world, "large", args.seed),
        v3det_world(args.data, args.world, judged, args.seed + HELD_OUT),
    )
    kinds = args.kinds or list(chains)
    if unknown := {*kinds, *args.shuffled} - chains.keys():
        parser.error(f"the world {args.world} has no {min(unknown)}")
    builds = {kind: _builds(kind, args.data, worlds) for kind in kinds}
    spawn = get_context("spawn")
    with (
        ProcessPoolExecutor(len(kinds), spawn, follow_parent, (os.getpid(),)) as processes,
        ended_children(),
    ):
        parts = list(processes.map(partial(_learn, args=args, builds=builds), kinds))
    faults = [fault for part in parts for fault in part]
    print("\n".join(faults) or "all bars hold")
    return 1 if faults else 0


def _builds(kind: str, data: Path, worlds: tuple[Path, Path]) -> tuple[Build, Build]:
    """Return the build to train on and the one to judge by."""
    to_train_on, held_out = worlds
    turns = ("--sources", "v3det", "--style", kind, "--per-category", "all")
    # An evaluation asks in RegionGPT's style; in the other, the turns of the split val are asked.
    asked = ("--recipe", "eval_v3det") if kind == "regiongpt" else turns
    return (
        built(data, f"{kind}-train", to_train_on, turns),
        built(data, f"{kind}-questions", held_out, asked),
    )


def _learn(
    kind: str, args: argparse.Namespace, builds: dict[str, tuple[Build, Build]]
) -> list[str]:
    torch.set_num_threads(1)

    def note(line: str) -> None:
        report(f"{kind}: {line}")

    train_on, judge_by = builds[kind]
    questions = questions_of(ShardRows(judge_by, judge_by.shards("val")))
    shards = train_on.shards("train")
    rows = ShardRows(train_on, shards)
    chain, output = WORLDS[args.world][0][kind], args.data / f"learned-{args.world}"
    learned = learn(chain, rows, questions, output, args.seed, note)
    for shares in (learned.exact_by_radius, learned.exact_by_shape):
        note(f"exact\n{table(shares)}")
    note(str(learned))
    faults = learned.faults(chain)
    if kind in args.shuffled:
        shuffled = ShuffledAnswers(train_on, shards)
        faults += learn_shuffled(chain, shuffled, questions, output, args.seed, note)
    return faults


if __name__ == "__main__":
    run_process(main)

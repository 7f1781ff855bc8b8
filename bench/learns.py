"""`make learns`: tiny models learn the sample world's preset `proof`, from stage 0 to stage 2.

    python -m bench.learns [--data DIR] [--seed N] [--threads N] [regiongpt] [gpt4roi]

The world has 9,000 pictures to train on, and 700 of another seed to judge by, with about 2,800
regions. Two controls must fail: questions about the picture and box of another row, and a model
that is trained on shuffled answers. Times are CPU seconds of the process. The end is 1 where a bar
of `train.learns.chain` is missed.
"""

import argparse
import sys
from pathlib import Path

import torch

from bench.proof_world import DATA, HELD_OUT, built, report, v3det_world
from train.data.rows import ShardRows
from train.learns.answers import questions_of
from train.learns.chain import CHAINS, learn, learn_shuffled
from train.learns.shuffled import ShuffledAnswers


def main() -> int:
    """Draw, build, train and judge; return 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", choices=[*CHAINS, []], metavar="KIND")
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of torch")
    parser.add_argument("--shuffled", action="store_true", help="the control, too")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    faults = [fault for kind in args.kinds or CHAINS for fault in _learn(kind, args)]
    print("\n".join(faults) or "all bars hold")
    return 1 if faults else 0


def _learn(kind: str, args: argparse.Namespace) -> list[str]:
    turns = ("--sources", "v3det", "--style", kind, "--per-category", "all")
    train_on = built(args.data, f"{kind}-train", v3det_world(args.data, "large", args.seed), turns)
    held_out = v3det_world(args.data, "medium", args.seed + HELD_OUT)
    # An evaluation asks in RegionGPT's style; in the other, the turns of the split val are asked.
    asked = ("--recipe", "eval_v3det") if kind == "regiongpt" else turns
    judge_by = built(args.data, f"{kind}-questions", held_out, asked)
    questions = questions_of(ShardRows(judge_by, judge_by.shards("val")))
    shards = train_on.shards("train")
    rows = ShardRows(train_on, shards)
    learned = learn(kind, rows, questions, args.data, args.seed, report)
    report(str(learned))
    faults = learned.faults
    if args.shuffled:
        shuffled = ShuffledAnswers(train_on, shards)
        faults += learn_shuffled(kind, shuffled, questions, args.data, args.seed, report)
    return faults


if __name__ == "__main__":
    sys.exit(main())

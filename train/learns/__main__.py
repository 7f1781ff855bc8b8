"""Command line: train tiny models from stage 0 on, and say whether they have learned.

    python -m train.learns --shards SHARDS --questions EVALUATION --output DIR regiongpt

SHARDS is a build of the sample world's preset `proof` in the model's own style, EVALUATION one of
the recipe `eval_v3det` on a world of another seed.
"""

import argparse
import sys
from pathlib import Path

import torch

from train.data.build import Build
from train.data.rows import ShardRows
from train.learns.answers import questions_of
from train.learns.chain import CHAINS, learn


def main() -> int:
    """Train and judge; return 1 where a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m train.learns", description=__doc__)
    parser.add_argument("kind", choices=CHAINS)
    parser.add_argument("--shards", type=Path, required=True, help="to train on")
    parser.add_argument("--questions", type=Path, required=True, help="to judge by")
    parser.add_argument("--output", type=Path, required=True, help="towers and results")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    build, evaluation = Build.open(options.shards), Build.open(options.questions)
    learned = learn(
        options.kind,
        ShardRows(build, build.shards("train")),
        questions_of(ShardRows(evaluation, evaluation.shards("val"))),
        options.output,
        options.seed,
        lambda line: print(line, flush=True),
    )
    print(learned)
    for fault in learned.faults:
        print(fault, file=sys.stderr)
    return 1 if learned.faults else 0


if __name__ == "__main__":
    sys.exit(main())

"""`make learns`: tiny models learn the sample world's preset `proof`, from stage 0 to stage 2.

    python -m bench.learns [--data DIR] [--seed N] [--threads N] [regiongpt] [gpt4roi]

The world has 9,000 pictures to train on, and 700 of another seed to judge by, with about 2,800
regions. Two controls must fail: questions about the picture and box of another row, and a model
that is trained on shuffled answers. Times are CPU seconds of the process. The end is 1 where a bar
of `train.learns.chain` is missed.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import torch

from pipelines.sample_world.scene import World
from pipelines.sample_world.v3det import write_v3det
from pipelines.sample_world.world import LOOKS, PICTURES, Size
from train.data.build import Build
from train.data.rows import ShardRows
from train.learns.answers import questions_of
from train.learns.chain import CHAINS, learn, learn_shuffled
from train.learns.shuffled import ShuffledAnswers

HERE = Path(__file__).parent
HELD_OUT = 7  # added to the seed of the world to train on


def main() -> int:
    """Draw, build, train and judge; return 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", choices=[*CHAINS, []], metavar="KIND")
    parser.add_argument("--data", type=Path, default=HERE / "data" / "learns", metavar="DIR")
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
    train_on = _built(args.data, f"{kind}-train", _world(args.data, "large", args.seed), turns)
    held_out = _world(args.data, "medium", args.seed + HELD_OUT)
    # An evaluation asks in RegionGPT's style; in the other, the turns of the split val are asked.
    asked = ("--recipe", "eval_v3det") if kind == "regiongpt" else turns
    judge_by = _built(args.data, f"{kind}-questions", held_out, asked)
    questions = questions_of(ShardRows(judge_by, judge_by.shards("val")))
    shards = train_on.shards("train")
    rows = ShardRows(train_on, shards)
    learned = learn(kind, rows, questions, args.data, args.seed, _report)
    _report(str(learned))
    faults = learned.faults
    if args.shuffled:
        shuffled = ShuffledAnswers(train_on, shards)
        faults += learn_shuffled(kind, shuffled, questions, args.data, args.seed, _report)
    return faults


def _world(data: Path, size: Size, seed: int) -> Path:
    """Return a world's folder, drawn unless it is there."""
    world = data / f"world-{size}-{seed}"
    if not (world / "v3det" / "annotations").exists():
        _report(f"drawing {world}")
        look = LOOKS["proof"]
        write_v3det(world, World(seed=seed, pictures=PICTURES["proof"][size], look=look))
    return world


def _built(data: Path, name: str, world: Path, flags: tuple[str, ...]) -> Build:
    """Return the build of a world, made unless it is there."""
    output = data / f"{name}-{world.name}"
    if not (output / "manifest.json").exists():
        folders = ["--data-root", str(world), "--output", str(output)]
        command = [sys.executable, "-m", "pipelines", "build", *flags, *folders]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return Build.open(output)


def _report(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())

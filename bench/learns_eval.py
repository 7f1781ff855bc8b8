"""`make learns-eval`: a tiny RegionGPT learns all tasks of the sample world's preset `proof`.

    python -m bench.learns_eval [--data DIR] [--seed N] [--threads N]

It is trained on the recipe `proof`, and judged by `regionforge evaluate` on builds of a world of
another seed: classification, yes-or-no questions, reasoning by likelihood, choosing regions. The
end is 1 where a bar of `train.learns.all_tasks` is missed.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from bench.proof_world import DATA, HELD_OUT, built, report, whole_world
from schemas.process import run_process
from train.learns.all_tasks import CONFIGS, SECONDS, faults, learn_all

_PICTURES = 700  # that are asked about, at most


def main() -> int:
    """Draw, build, train, evaluate and judge; return 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of torch")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    output = args.data / f"all-{args.seed}"
    world = whole_world(args.data, "large", args.seed)
    final = learn_all(
        built(args.data, "proof", world, ("--recipe", "proof")), output, args.seed, report
    )
    held_out = whole_world(args.data, "medium", args.seed + HELD_OUT)
    missed = faults({name: _evaluated(name, final, held_out, args.data) for name in CONFIGS})
    seconds = json.loads((output / "seconds.json").read_text(encoding="utf-8"))
    if seconds > SECONDS:
        missed.append(f"{seconds:.0f} CPU seconds of training, expected {SECONDS:.0f} at most")
    print("\n".join(missed) or "all bars hold")
    return 1 if missed else 0


def _evaluated(name: str, final: Path, world: Path, data: Path) -> list[dict[str, Any]]:
    """Return the figures of an evaluation, whose table is printed."""
    flags = ["--recipe", name]
    if name == "eval_rec":
        detections = world / "refcocog" / "detections.json"
        flags += ["--detections", f"refcocog={detections}", "--detection-names", "coco"]
    build = built(data, name, world, tuple(flags))
    output = final.parent / name
    command = [sys.executable, "-m", "train", "evaluate", "--config", name]
    command += ["--shards", str(build.folder), "--checkpoint", str(final)]
    command += ["--output", str(output), "--limit", str(_PICTURES)]
    subprocess.run(command, check=True)
    figures: list[dict[str, Any]] = json.loads((output / "report.json").read_bytes())["figures"]
    return figures


if __name__ == "__main__":
    run_process(main)

"""A tiny RegionGPT that captions the next data set: trained on captions, served, asked by `recap`.

    python -m bench.captioner [--data DIR] [--pictures N]

1. The built-in captioner describes regions of the sample world's preset `proof` (`bench.taught`).
2. A language model learns these talks from nothing, its words taken from `recap`'s requests too,
   with the class of a region in the place of what the vision tower sees there, as in stage 0.
3. `regionforge train` trains the connector, then all but the vision tower, which is that of the
   package.
4. `regionforge serve` answers `regionforge recap --views region` about pictures of another seed.

What was kept and rejected is counted, and how often a kept caption names the colour and the shape
of its region, which `recap` did not tell. The end is 1 where fewer than `LEAST` are right, or where
a region is neither kept nor rejected.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch

import regionforge
from bench.proof_world import DATA, HELD_OUT, report, v3det_world
from bench.serving import served
from bench.taught import MIN_WORDS, write_taught
from model.presets import proof_regiongpt
from regionforge import tiny_towers
from schemas.process import run_process
from train.data.build import Build
from train.data.rows import ShardRows
from train.serve.serving import model_name
from train.stage0.dense import Categories
from train.stage0.fitting import Fitting
from train.stage0.language import Phase, build_tokenizer, train_language
from train.stage0.stand_ins import from_categories

LEAST = 0.35  # share of right captions; 0.43 after 240 CPU seconds, which know colours above all
CHANCE = 1 / 64  # of 8 colours and 8 shapes
_TAUGHT = 1000  # pictures of each split of the world to learn from, at most
_LANGUAGE = Fitting(steps=300, batch=16)
_STAGES = {
    "tiny_regiongpt_stage1": ("--batch", "8", "--epochs", "2"),
    "tiny_regiongpt_stage2": ("--batch", "16", "--epochs", "1"),
}
_TOKENS = 40  # of a caption, at most
_QUICK = ("--workers", "0", "--device", "cpu")
_ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def main() -> int:
    """Teach, train, serve, caption and count; return 1 where the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA / "captioner", metavar="DIR")
    parser.add_argument("--pictures", type=int, default=100, metavar="N", help="of each split")
    args = parser.parse_args()
    torch.set_num_threads(1)
    shards, language = args.data / "taught", args.data / "language"
    if not (shards / "manifest.json").exists():
        write_taught(v3det_world(args.data, "proof", "medium", 0), shards, _TAUGHT)
    if not language.exists():
        learn_language(Build.open(shards), language, _LANGUAGE)
    run = trained(shards, language, args.data)
    world = v3det_world(args.data, "proof", "small", HELD_OUT)
    with served(str(run), batch=16) as address:
        caption(world, args.data / "captions", address, model_name(str(run)), args.pictures)
    return judge(args.data / "captions")


def learn_language(build: Build, output: Path, fitting: Fitting) -> None:
    """Write a language model that knows the talks of a build, and its tokenizer.

    Args:
        build: of the talks.
        output: a new folder.
        fitting: the way in which it learns.
    """
    config = proof_regiongpt()
    rows = ShardRows(build, build.shards("train"))
    tokenizer = build_tokenizer(config, rows)
    text = config.text_config
    text.vocab_size = len(tokenizer)
    text.bos_token_id, text.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
    text.pad_token_id = tokenizer.pad_token_id

    def progress(step: int, loss: float) -> None:
        if step % 20 == 0:
            report(f"language {step}: loss {loss:.3f}")

    stand_ins = from_categories(Categories(rows.categories()))
    phase = Phase(range(len(rows)), fitting)
    language = train_language(config, rows, stand_ins, tokenizer, [phase], progress)
    language.save_pretrained(output)
    tokenizer.save_pretrained(output)


def trained(shards: Path, language: Path, output: Path, *further: object) -> Path:
    """Return the run of the last stage; stages that were carried out are not again.

    Args:
        shards: of the talks.
        language: the folder of the language model.
        output: the folder of the runs.
        further: flags of all stages.
    """
    start: Sequence[object] = ("--vision", tiny_towers.VISION, "--language", language)
    run = output
    for name, flags in _STAGES.items():
        run = output / name
        words = ["--recipe", name, "--shards", shards, "--output", run, *start, *flags]
        _ours("train", *words, *further, *_QUICK)
        start = ("--checkpoint", run)
    return run


def caption(world: Path, output: Path, address: str, model: str, pictures: int) -> None:
    """Have `recap` caption V3Det's regions of a world by a server."""
    words = ["--source", "v3det", "--data-root", str(world), "--output", str(output)]
    words += ["--endpoint", address, "--model", model, "--views", "region", "--no-class-name"]
    words += ["--no-global-caption", "--no-canary", "--no-filter", "--min-words", str(MIN_WORDS)]
    words += ["--region-tokens", str(_TOKENS), "--limit", str(pictures)]
    _ours("recap", *words)


def judge(captions: Path) -> int:
    """Print what became of the regions of an output; return 1 where the bar is missed."""
    kept, right, colours, shapes = 0, 0, 0, 0
    for batch in regionforge.read_shards(captions):
        for record in batch.to_pylist():
            for region in record["regions"]:
                if region["caption"]:
                    colour, shape = region["category"].split()
                    words = set(region["caption"].lower().replace(".", "").split())
                    kept += 1
                    colours += colour in words
                    shapes += shape in words
                    right += {colour, shape} <= words
    rejected = Counter(_rejections(captions))
    asked = _asked(captions)
    print(f"{asked} regions: {kept} captions kept, rejected: {dict(rejected) or 'none'}")
    print(
        f"right of those kept: colour {colours}, shape {shapes}, both {right}: "
        f"{right / max(kept, 1):.3f} (chance {CHANCE:.3f}, expected {LEAST} at least)"
    )
    whole = kept + rejected.total() == asked
    return 0 if whole and right >= LEAST * kept > 0 else 1


def _rejections(captions: Path) -> list[str]:
    """Return the reason of each region that was rejected."""
    lines = [
        json.loads(line)
        for path in captions.glob("_rejected/*.jsonl")
        for line in path.read_bytes().splitlines()
    ]
    return [line["reason"] for line in lines if line["kind"] == "annotation"]


def _asked(captions: Path) -> int:
    """Return the number of regions that the captioning read."""
    ledger = json.loads((captions / "ledger.json").read_bytes())
    splits = ledger["sources"]["recapd"].values()
    return sum(int(stages["caption"]["annotation"]["read"]) for stages in splits)


def _ours(*words: object) -> None:
    command = [sys.executable, "-m", "regionforge", *map(str, words)]
    subprocess.run(command, check=True, env={**os.environ, **_ONE_THREAD})


if __name__ == "__main__":
    run_process(main)

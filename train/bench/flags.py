"""The flags of the command `train-bench`; nothing heavy is imported, so that `--help` is fast."""

import argparse
from pathlib import Path

from schemas.errors import UsageError
from train.flag_checks import check_preset
from train.flags import PRESETS, whole
from train.named_files import check_folder
from train.recipes import recipe_named

LINE = "Measure the speed of training with random weights, beside that of plain library code."
EXAMPLES = """\
examples:
  regionforge train-bench --output speed.jsonl --minutes 6
  regionforge train-bench --recipe tiny_regiongpt_stage2 --device cpu --output speed.jsonl
Without --recipe it measures both stages of regiongpt_7b and of gpt4roi_7b, which takes a GPU of
140 GB. Each result is a line of JSON, written as soon as it is known."""


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declare all flags."""
    parser.add_argument(
        "--output", required=True, metavar="FILE", help="the results, a line of JSON each"
    )
    parser.add_argument(
        "--recipe",
        action="append",
        metavar="NAME",
        help="one that `train` knows, e.g. regiongpt_finetune (default: the papers' four); may be "
        "repeated",
    )
    parser.add_argument(
        "--model", metavar="PRESET", help="the model's shape (default: the recipe's)"
    )
    parser.add_argument(
        "--minutes",
        type=whole(1),
        metavar="N",
        help="end after N minutes, and measure first what says most (default: no end)",
    )
    parser.add_argument(
        "--shards",
        action="append",
        metavar="DIR",
        help="rows of a build (default: drawn pictures and words of about the papers' lengths); "
        "may be repeated",
    )
    parser.add_argument("--image-root", metavar="DIR", help="the folder of referenced pictures")
    parser.add_argument(
        "--micro-batch",
        type=whole(1),
        metavar="N",
        help="rows of a forward pass (default: by the stage, 8 to 16); a step has four passes",
    )
    parser.add_argument(
        "--recompute",
        nargs="?",
        const="all",
        choices=("none", "some", "all"),
        help="what the backward pass computes again (default: as `train` has it)",
    )
    parser.add_argument(
        "--compile",
        action=argparse.BooleanOptionalAction,
        help="compile the language model's layers (default: as `train` has it)",
    )
    parser.add_argument("--device", metavar="NAME", help="cpu or cuda (default: a GPU if any)")
    parser.add_argument(
        "--workers",
        type=whole(0),
        default=2,
        metavar="N",
        help="processes that load rows (default: %(default)s; 0: none beside it)",
    )


def check_bench(args: argparse.Namespace) -> None:
    """Check flags before torch is imported, which takes seconds.

    Raises:
        UsageError: a flag is wrong by itself, or beside the others.
    """
    if Path(args.output).exists():
        raise UsageError(f"--output {args.output}: is there already; name another file")
    for name in args.recipe or ():
        recipe_named(name)
    if args.model is not None:
        check_preset(args.model, PRESETS)
    for folder in args.shards or ():
        check_folder("--shards", folder)
    if args.image_root is not None and args.shards is None:
        raise UsageError("--image-root goes with --shards")
    check_folder("--image-root", args.image_root)

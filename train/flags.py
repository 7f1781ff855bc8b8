"""The flags of the command `train`; nothing heavy is imported, so that `--help` is fast."""

import argparse
from collections.abc import Callable

LINE = "Train a model on the shards of a build, or go on with a run."
EXAMPLES = """\
examples:
  regionforge train --recipe regiongpt_pretrain --shards /shards --output runs/a \\
      --vision openai/clip-vit-large-patch14-336 --language lmsys/vicuna-7b-v1.5
  regionforge train --recipe regiongpt_finetune --shards /shards --output runs/b \\
      --checkpoint runs/a --dry-run --rate 40
  torchrun --nproc-per-node 8 -m regionforge train ...
Without --dry-run it trains; torchrun starts it on several GPUs.
The same command again goes on where a run was stopped."""
# The recipes, for `--help`; those there are stand in `train.recipes`.
RECIPES = (
    "gpt4roi_stage1, gpt4roi_stage2, regiongpt_pretrain, regiongpt_finetune, and for tiny models "
    "tiny_gpt4roi_stage1, tiny_gpt4roi_stage2, tiny_regiongpt_stage1, tiny_regiongpt_stage2; "
    "tiny_towers makes the towers of these"
)
# The models, likewise; those there are stand in `model.presets`.
_PRESETS = (
    *("gpt4roi_7b", "gpt4roi_7b_released", "regiongpt_7b", "regiongpt_siglip_b512"),
    *("regiongpt_siglip_l384", "regiongpt_siglip_so400m"),
)
_TINY_PRESETS = ("proof_gpt4roi", "proof_regiongpt", "tiny_gpt4roi", "tiny_regiongpt")
PRESETS = (*_PRESETS, *_TINY_PRESETS)
Group = argparse._ArgumentGroup


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Declare all flags."""
    parser.add_argument("--recipe", required=True, metavar="NAME", help=f"one of {RECIPES}")
    parser.add_argument(
        "--shards",
        action="append",
        required=True,
        metavar="DIR",
        help="the output of `regionforge build`; may be repeated",
    )
    parser.add_argument(
        "--output", required=True, metavar="RUN", help="the run's folder; a run in it goes on"
    )
    _add_start(parser.add_argument_group("what it starts from"))
    _add_data(parser.add_argument_group("data"))
    _add_training(parser.add_argument_group("training; the recipe states what is not given"))
    _add_run(parser.add_argument_group("the run"))
    _add_dry_run(parser.add_argument_group("before spending"))


def _add_start(group: Group) -> None:
    group.add_argument("--vision", metavar="PATH", help="the vision tower: a folder or a Hub name")
    group.add_argument("--language", metavar="PATH", help="the language model, likewise")
    group.add_argument("--init", metavar="PATH", help="an earlier stage's connector, e.g. LLaVA's")
    group.add_argument(
        "--checkpoint", metavar="PATH", help="a run's folder, a model's folder, or a Hub name"
    )
    group.add_argument(
        "--model",
        metavar="PRESET",
        help=f"the model's shape, where it starts from towers: {', '.join(_PRESETS)}, and of tiny "
        f"sizes {', '.join(_TINY_PRESETS)} (default: that of the recipe's paper)",
    )
    group.add_argument(
        "--calibrate-connector",
        action=argparse.BooleanOptionalAction,
        help="start a new connector from a batch's statistics (default: as the recipe says)",
    )
    group.add_argument(
        "--lora", type=whole(1), metavar="RANK", help="train adapters of the language model"
    )
    group.add_argument("--qlora", action="store_true", help="with --lora: its weights in 4 bits")


def _add_data(group: Group) -> None:
    group.add_argument("--split", default="train", metavar="NAME", help="default: %(default)s")
    group.add_argument("--limit", type=whole(1), metavar="N", help="only N rows, chosen by hash")
    group.add_argument(
        "--weights",
        action="append",
        default=[],
        type=_weight,
        metavar="CONFIG=SHARE",
        help="the number of times that a config's rows come in an epoch, e.g. llava=0.5 "
        "(default: 1); may be repeated",
    )
    group.add_argument("--image-root", metavar="DIR", help="the folder of referenced pictures")
    group.add_argument("--max-length", type=whole(1), metavar="N", help="tokens of a row, at most")
    group.add_argument(
        "--no-recapd", action="store_true", help="train without RecapD's captions nevertheless"
    )


def _add_training(group: Group) -> None:
    group.add_argument("--batch", type=whole(1), metavar="N", help="rows of a step, of all GPUs")
    group.add_argument(
        "--micro-batch",
        type=whole(1),
        default=8,
        metavar="N",
        help="rows of a forward pass of a GPU (default: %(default)s); more passes make the batch",
    )
    group.add_argument("--learning-rate", type=_positive, metavar="X", help="at its highest")
    group.add_argument("--epochs", type=whole(1), metavar="N", help="times that each row comes")
    group.add_argument("--max-steps", type=whole(1), metavar="N", help="stop after N steps")
    group.add_argument("--seed", type=whole(0), metavar="N", help="of all that looks random")
    group.add_argument(
        "--precision",
        choices=("bfloat16", "float32"),
        help="of the computation; trained weights are float32 (default on a CPU: float32)",
    )
    group.add_argument(
        "--spike",
        type=_share,
        default=5.0,
        metavar="X",
        help="stop at a loss above X times the usual (default: %(default)g; 0: never)",
    )


def _add_run(group: Group) -> None:
    group.add_argument("--device", metavar="NAME", help="cpu or cuda (default: a GPU if any)")
    group.add_argument(
        "--workers",
        type=whole(0),
        default=2,
        metavar="N",
        help="processes that load rows, of each GPU (default: %(default)s; 0: none beside it)",
    )
    group.add_argument(
        "--sharded",
        action=argparse.BooleanOptionalAction,
        help="lay the model in parts on the GPUs (default: where the language model trains)",
    )
    group.add_argument(
        "--copy-per-host",
        action="store_true",
        help="lay all parts on the GPUs of each host: between hosts, gradients alone are summed",
    )
    group.add_argument(
        "--recompute",
        nargs="?",
        const="all",
        choices=("none", "some", "all"),
        help="what the backward pass computes again, to take less memory: all costs a third more "
        "time, some next to none (default: some where the language model trains on a GPU)",
    )
    group.add_argument(
        "--compile",
        action=argparse.BooleanOptionalAction,
        help="compile the language model's layers (default: on a GPU)",
    )
    group.add_argument(
        "--checkpoint-every",
        type=whole(1),
        default=500,
        metavar="N",
        help="steps between checkpoints (default: %(default)s)",
    )
    group.add_argument(
        "--keep",
        type=whole(1),
        default=2,
        metavar="N",
        help="the number of checkpoints that stay (default: %(default)s)",
    )
    group.add_argument(
        "--validate-every",
        type=whole(1),
        metavar="N",
        help="every N steps, take the loss on held-out rows and write sample answers",
    )
    group.add_argument(
        "--validate-on",
        metavar="DIR",
        help="the build of the held-out rows (default: the shards that have a split val)",
    )
    group.add_argument(
        "--track", choices=("trackio", "wandb"), help="where to show curves, beside TensorBoard"
    )


def _add_dry_run(group: Group) -> None:
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="print rows, tokens by task, steps, memory and time, and train nothing",
    )
    group.add_argument(
        "--rate", type=_positive, metavar="X", help="rows a second, for the time of --dry-run"
    )


def whole(least: int) -> Callable[[str], int]:
    """Return the reader of a flag's whole number, `least` or more."""

    def number(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or len(text) > 18 or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number, {least} or more")
        return int(text)

    return number


def _share(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number, 0 or more")
    return number


def _positive(text: str) -> float:
    if not (number := _share(text)):
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number above 0")
    return number


def _weight(text: str) -> tuple[str, float]:
    config, mark, share = text.rpartition("=")
    if not mark or not config:
        raise argparse.ArgumentTypeError(f"{text!r}: expected CONFIG=SHARE, e.g. llava=0.5")
    return config, _share(share)

"""The checks of `train`'s flags; nothing heavy is imported, so that they come first."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from schemas.errors import UsageError
from schemas.hub_name import check_model_name
from schemas.near import near
from train.flags import PRESETS
from train.named_files import check_folder
from train.recipes import recipe_named

if TYPE_CHECKING:
    from train.data.build import Build

TOWERS = "tiny_towers"  # the recipe that makes towers instead of a model


def check_train(args: argparse.Namespace) -> None:
    """Check flags before torch is imported, which takes seconds.

    Raises:
        UsageError: a flag is wrong by itself, or beside the others.
    """
    for folder in args.shards:
        check_folder("--shards", folder)
    if args.recipe == TOWERS:
        return
    recipe_named(args.recipe)
    if args.model is not None:
        check_preset(args.model, PRESETS)
    if args.checkpoint is not None and args.model is not None:
        raise UsageError("--checkpoint has the model's shape: leave out --model")
    check_origin(args.checkpoint, vision=args.vision, language=args.language, init=args.init)
    check_adapters(args.checkpoint, rank=args.lora, quantized=args.qlora)
    check_parts(sharded=args.sharded, copy_per_host=args.copy_per_host, rank=args.lora)
    for name in filter(None, (args.checkpoint, args.vision, args.language)):
        check_model_name(name)
    if args.rate is not None and not args.dry_run:
        raise UsageError("--rate is for the time that --dry-run prints: name both, or leave it out")
    if args.validate_on is not None and args.validate_every is None:
        raise UsageError("--validate-on goes with --validate-every N")
    check_folder("--validate-on", args.validate_on)
    check_folder("--image-root", args.image_root)


def check_preset(name: str, known: Sequence[str]) -> None:
    """Raise `UsageError` for a model's shape that is none of those there are."""
    if name not in known:
        raise UsageError(f"--model {name}: there is no such model; {near(name, known)}")


def check_origin(
    checkpoint: str | None, *, vision: str | None, language: str | None, init: str | None
) -> None:
    """Raise `UsageError` unless a run starts either from two towers, or from an earlier model."""
    if checkpoint is None and not (vision and language):
        raise UsageError(
            f"{'--language' if vision else '--vision'} is missing: name both towers by --vision "
            "and --language, or an earlier model by --checkpoint"
        )
    if checkpoint is not None and (vision or language or init):
        raise UsageError("--checkpoint holds the towers: leave out --vision, --language, --init")


def check_adapters(checkpoint: str | None, *, rank: int | None, quantized: bool) -> None:
    """Raise `UsageError` for a model in 4 bits without adapters, or that is not there yet."""
    if quantized and (rank is None or checkpoint is None):
        raise UsageError("--qlora needs --lora RANK, and a model's folder by --checkpoint")


def check_parts(*, sharded: bool | None, copy_per_host: bool, rank: int | None) -> None:
    """Raise `UsageError` for parts of a model that other flags keep whole."""
    if copy_per_host and sharded is False:
        raise UsageError(
            "--copy-per-host is for models in parts, which --no-sharded keeps whole: name one of "
            "them alone"
        )
    if rank is not None and (sharded or copy_per_host):
        flag = "--sharded" if sharded else "--copy-per-host"
        raise UsageError(f"adapters are few weights, which stay whole: leave out {flag}")


def check_image_root(folder: str | None, builds: "Sequence[Build]") -> None:
    """Raise `UsageError` for a folder of pictures that would change nothing."""
    if folder is not None and not any(build.refers for build in builds):
        raise UsageError("--image-root: the shards hold the pictures themselves: leave it out")

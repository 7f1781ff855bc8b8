"""The commands `chat`, `answer`, `serve`: what a command line states, checked before any work."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from model.errors import InputError
from model.picture import read_picture
from model.regions import Region
from model.serve.chat import converse, description, greet, typed_lines
from model.serve.given_regions import Detection, detected_regions, given_regions
from model.serve.opened import OpenedModel, Talk, check_regions
from schemas import console
from schemas.counted import counted
from schemas.errors import InputFileError, UsageError
from schemas.style import Style
from train.data.build import Build
from train.data.rows import ShardRows
from train.evaluation.asking import Asking
from train.evaluation.selection import image_root
from train.plan import device_named
from train.serve.asked import Asked, asked_of_regions, asked_of_shards
from train.serve.bulk import answer_all
from train.serve.opening import open_model
from train.serve.web import chat_on_page
from train.start import Start, read_config

if TYPE_CHECKING:
    from train.serve.serving import EngineMaker

_MIN_SCORE = 0.5
_SHOWN = 5  # reasons on the console


def chat(args: argparse.Namespace) -> int:
    """Carry out `chat`, and return its exit status.

    Raises:
        RegionForgeError: a flag, a file or a question cannot be used.
    """
    if args.web:
        return chat_on_page(args)
    regions, described = _regions(args)
    picture = None
    if args.image is not None:
        try:
            picture = read_picture(args.image)
        except InputError as error:
            raise InputFileError(f"--image {args.image}: {error}") from None
    try:
        check_regions(regions, None if picture is None else picture.size)
    except InputError as error:
        raise UsageError(str(error)) from None
    model: OpenedModel = open_model(args.checkpoint, device=args.device, dtype=args.dtype)
    interactive = sys.stdin.isatty()
    if interactive:
        greet(described)

    def begin() -> Talk:
        return model.talk(
            picture,
            regions,
            list_all=args.detections is not None,
            max_new_tokens=args.max_new_tokens,
        )

    converse(begin, typed_lines(), described, strict=not interactive)
    return 0


def answer(args: argparse.Namespace) -> int:
    """Carry out `answer`, and return its exit status.

    Raises:
        RegionForgeError: a flag or a file cannot be used, or the output holds another run.
    """
    start = Start(checkpoint=args.checkpoint)
    takes_masks = hasattr(read_config(start), "region_grid")
    device = device_named(args.device)
    usual = "float32" if device.type == "cpu" else "bfloat16"
    asking = Asking(
        start=start,
        device=device,
        dtype=getattr(torch, args.dtype or usual),
        form="generate",
        region_as="mask" if takes_masks else "box",
        batch=args.batch,
        max_new_tokens=args.max_new_tokens,
        choices=False,
        workers=args.workers,
    )
    asked = _asked(args, Style.REGIONGPT if takes_masks else Style.GPT4ROI)
    answered = answer_all(asking, asked, Path(args.output))
    for record, reason in list(answered.reasons.items())[:_SHOWN]:
        console.notice(f"{record}: {reason}")
    without = len(asked.questions) - answered.answered
    console.result(
        f"wrote {answered.path}: {counted(answered.answered, 'answer')}"
        + (
            f", and {counted(without, 'question')} that could not be put: see `reason`"
            * bool(without)
        )
    )
    return 0 if answered.answered else 1


def _regions(args: argparse.Namespace) -> tuple[list[Region], list[str]]:
    """Return the regions of a command line, and a line about each."""
    regions = given_regions(args.region)
    described = [description(region) for region in regions]
    if args.detections is not None:
        least = _MIN_SCORE if args.min_score is None else args.min_score
        for each in detected_regions(Path(args.detections), args.image_id, least):
            regions.append(each.region())
            described.append(_described(each))
    return regions, described


def _described(detection: Detection) -> str:
    words = description(detection.region())
    if detection.category_id is not None:
        words += f", category {detection.category_id}"
    return words if detection.score is None else f"{words}, score {detection.score:.2f}"


def _asked(args: argparse.Namespace, style: Style) -> Asked:
    """Return the questions that a command line means."""
    if args.shards is None:
        try:
            return asked_of_regions(Path(args.regions), Path(args.images), args.question, style)
        except InputError as error:
            raise UsageError(f"--question: {error}") from None
    build = Build.open(Path(args.shards))
    splits = args.split or sorted({shard.split for shard in build.manifest.filled()})
    rows = ShardRows(build, [shard for split in splits for shard in build.shards(split)])
    root = image_root(args.image_root, build, needed=True)
    return asked_of_shards(build, rows, splits, root)


def serve(args: argparse.Namespace, engines: "Mapping[str, EngineMaker]") -> int:
    """Carry out `serve`, see `train.serve.serving`."""
    from train.serve import serving  # the extra `serve`

    return serving.serve(args, engines)


RUN = {"chat": chat, "answer": answer}

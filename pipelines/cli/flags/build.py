"""The flags of `build`."""

import argparse

from pipelines.cli.flags.shared import add_guard_flags, add_place_flags, add_shard_flags
from pipelines.recipes import recipe_names
from prompts.instruction import NO_BOX_SHARE, REC_NEGATIVES, InstructionMode
from prompts.style import Style


def add_build_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `build`."""
    _add_inputs(parser.add_argument_group("what to read"))
    _add_making(parser.add_argument_group("what to make of it"))
    out = parser.add_argument_group("where and how")
    out.add_argument("--output", required=True, metavar="DIR")
    out.add_argument(
        "--images", choices=("embed", "reference"), help="pictures or their paths (default: embed)"
    )
    out.add_argument("--workers", type=int, default=1, metavar="N", help="processes of a local run")
    out.add_argument("--runner", default="local", metavar="NAME", help="a Beam runner")
    add_shard_flags(out)
    out.add_argument(
        "--dry-run", action="store_true", help="only say what would be read and written"
    )


def _add_inputs(inputs: "argparse._ArgumentGroup") -> None:
    mix = inputs.add_mutually_exclusive_group(required=True)
    mix.add_argument("--sources", metavar="A,B", help="names, see `sources`")
    mix.add_argument(
        "--recipe",
        metavar="NAME|FILE",
        help=f"a mix or an evaluation: {', '.join(recipe_names())}; or a .yaml file of your own. "
        "Flags overrule what it says",
    )
    add_place_flags(inputs)
    inputs.add_argument(
        "--detections",
        action="append",
        default=[],
        metavar="SOURCE=FILE",
        help="boxes of a detector for a source, as COCO's results; may be repeated",
    )
    inputs.add_argument(
        "--detection-names",
        metavar="coco|lvis|FILE",
        help="what their categories are called; FILE has a name per line, or JSON categories",
    )
    inputs.add_argument("--coco-year", type=int, choices=(2014, 2017), help="default: 2017")
    inputs.add_argument(
        "--recapd", metavar="DIR", help="what `recap` made: its captions go with their regions"
    )
    inputs.add_argument(
        "--no-recapd",
        action="store_true",
        default=None,
        help="leave out the detailed captions that a recipe asks for",
    )
    add_guard_flags(inputs)
    inputs.add_argument("--coco-annotations", metavar="FILE", help="your own file in COCO's format")
    inputs.add_argument("--coco-images", metavar="DIR", help="the folder of that file's images")
    inputs.add_argument(
        "--coco-split", metavar="NAME", help="what to call its split (default: train)"
    )
    inputs.add_argument(
        "--label-set",
        action="append",
        default=[],
        metavar="[SOURCE=]NAME",
        help="what a source's category names are called, if not as its owner calls them",
    )
    inputs.add_argument("--limit", type=int, metavar="N", help="N images per split, by hash")


def _add_making(make: "argparse._ArgumentGroup") -> None:
    make.add_argument("--style", choices=list(Style), help=f"default: {Style.REGIONGPT}")
    make.add_argument(
        "--mode",
        choices=list(InstructionMode),
        help=f"how regions spread over turns (default: {InstructionMode.MULTI_TURN_ALL})",
    )
    make.add_argument(
        "--merge",
        action=argparse.BooleanOptionalAction,
        help="an image's tasks of one source share conversations (default: they do not)",
    )
    make.add_argument(
        "--per-category",
        action="append",
        default=[],
        metavar="[SOURCE=]N|all",
        help="N regions of each category, by hash; may be repeated",
    )
    make.add_argument(
        "--per-image",
        action="append",
        default=[],
        metavar="[SOURCE=]N|all",
        help="at most N regions of an image for phrases about them, and N for relationships, by "
        "hash; may be repeated",
    )
    make.add_argument(
        "--min-words", type=int, metavar="N", help="no phrase about a region of fewer than N words"
    )
    make.add_argument(
        "--rec-negatives",
        type=float,
        metavar="SHARE",
        help=f"share of referring expressions that fit no candidate (default: {REC_NEGATIVES})",
    )
    make.add_argument(
        "--no-box-share",
        type=float,
        metavar="SHARE",
        help=f"share of image conversations that declare no regions (default: {NO_BOX_SHARE})",
    )
    make.add_argument(
        "--plain-captions",
        action="store_true",
        default=None,
        help="image captions follow the image alone, without a request",
    )
    make.add_argument(
        "--wordings", metavar="FILE", help="YAML or JSON: sets of wordings of your own"
    )
    make.add_argument("--seed", type=int, help="default: 0")

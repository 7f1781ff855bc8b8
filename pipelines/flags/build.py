"""The flags of `build`."""

import argparse

from pipelines.flags.shared import add_place_flags, add_shard_flags
from prompts.instruction import REC_NEGATIVES, WITHOUT_BOXES, InstructionMode
from prompts.style import Style


def add_build_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags of `build`."""
    _add_inputs(parser.add_argument_group("what to read"))
    _add_making(parser.add_argument_group("what to make of it"))
    out = parser.add_argument_group("where and how")
    out.add_argument("--output", required=True, metavar="DIR")
    out.add_argument("--images", choices=("embed", "reference"), default="embed")
    out.add_argument("--workers", type=int, default=1, metavar="N", help="processes of a local run")
    out.add_argument("--runner", default="local", metavar="NAME", help="a Beam runner")
    add_shard_flags(out)
    out.add_argument(
        "--dry-run", action="store_true", help="only say what would be read and written"
    )


def _add_inputs(inputs: "argparse._ArgumentGroup") -> None:
    inputs.add_argument("--sources", required=True, metavar="A,B", help="names, see `sources`")
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
    inputs.add_argument("--coco-year", type=int, choices=(2014, 2017), default=2017)
    inputs.add_argument("--coco-annotations", metavar="FILE", help="your own file in COCO's format")
    inputs.add_argument("--coco-images", metavar="DIR", help="the folder of that file's images")
    inputs.add_argument(
        "--coco-split", default="train", metavar="NAME", help="what to call its split"
    )
    inputs.add_argument("--label-set", metavar="NAME", help="what its category names are called")
    inputs.add_argument("--limit", type=int, metavar="N", help="N images per split, by hash")


def _add_making(make: "argparse._ArgumentGroup") -> None:
    make.add_argument("--style", choices=list(Style), default=Style.REGIONGPT)
    make.add_argument(
        "--mode",
        choices=list(InstructionMode),
        default=InstructionMode.MULTI_TURN_ALL,
        help="how regions spread over turns (default: %(default)s)",
    )
    make.add_argument(
        "--per-category", type=int, metavar="N", help="N regions of each category, by hash"
    )
    make.add_argument(
        "--per-image", type=int, metavar="N", help="at most N regions of an image, by hash"
    )
    make.add_argument(
        "--min-words", type=int, metavar="N", help="no phrase about a region of fewer than N words"
    )
    make.add_argument(
        "--rec-negatives",
        type=float,
        default=REC_NEGATIVES,
        metavar="SHARE",
        help="share of referring expressions that fit no candidate (default: %(default)s)",
    )
    make.add_argument(
        "--without-boxes",
        type=float,
        default=WITHOUT_BOXES,
        metavar="SHARE",
        help="share of image conversations that declare no regions (default: %(default)s)",
    )
    make.add_argument(
        "--plain-captions",
        action="store_true",
        help="image captions follow the image alone, without a request",
    )
    make.add_argument(
        "--wordings", metavar="FILE", help="YAML or JSON: sets of wordings of your own"
    )
    make.add_argument("--seed", type=int, default=0)

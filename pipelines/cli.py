"""The command line: what can be typed; what it does is in `commands/`.

Flags that are not ours pass through to Beam; a flag that neither knows is an error. Beam and
what needs it are imported only to run a command: `--help` should not take a second.
"""

import argparse
import logging
import os
import sys
import threading
from collections.abc import Sequence
from importlib import import_module

from pydantic import ValidationError

from pipelines import VERSION
from prompts.region_classification import InstructionMode
from prompts.style import Style
from schemas.errors import RegionForgeError, UsageError

EXIT_ERROR, EXIT_INTERRUPTED = 1, 130


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command and exit; a mistake of the user ends without a traceback."""
    status = run(sys.argv[1:] if argv is None else argv)
    sys.stdout.flush()
    sys.stderr.flush()
    if status and threading.active_count() > 1:
        os._exit(status)  # a pipeline that was given up may never let its threads end
    sys.exit(status)


def run(argv: Sequence[str]) -> int:
    """Run a command and return its exit status."""
    args, others = _parser().parse_known_args(argv)
    logging.getLogger().setLevel(logging.CRITICAL)  # Beam logs what no user can change
    try:
        return _call(args, others)
    except ValidationError as error:
        first = error.errors()[0]
        flag = "--" + "-".join(str(part) for part in first["loc"]).replace("_", "-")
        print(f"error: {flag}: {first['msg']}", file=sys.stderr)
    except (RegionForgeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted; finished shards are kept: run it again to go on", file=sys.stderr)
        return EXIT_INTERRUPTED
    return EXIT_ERROR


def _call(args: argparse.Namespace, others: list[str]) -> int:
    from pipelines.beam_flags import check_beam_flags

    if others and args.command != "build":
        raise UsageError(f"unknown flag {others[0]!r}; --help lists those there are")
    check_beam_flags(others)
    args.beam_flags = others
    return int(import_module(f"pipelines.commands.{args.command}").run(args))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="regionforge",
        description="Region-level instruction data from public data sets.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"regionforge {VERSION}")
    commands_ = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (_sources, _build, _verify, _preview, _demo, _sample_world):
        add(commands_)
    return parser


def _add(
    group: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, text: str, example: str
) -> argparse.ArgumentParser:
    parser = group.add_parser(
        name,
        help=text,
        description=text,
        epilog=f"example:\n  python -m pipelines {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(command=name.replace("-", "_"))
    return parser


def _sources(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _add(
        group,
        "sources",
        "List the sources: what of each is found, what is missing, and where to get it.",
        "sources --data-root /data",
    )
    parser.add_argument("--data-root", required=True, metavar="DIR")


def _build(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _add(
        group,
        "build",
        "Build instruction shards. Flags not listed here go to Beam.",
        "build --sources coco --data-root /data --output /shards --workers 4",
    )
    inputs = parser.add_argument_group("what to read")
    inputs.add_argument("--sources", required=True, metavar="A,B", help="names, see `sources`")
    inputs.add_argument(
        "--data-root", default=".", metavar="DIR", help="where the owners' files lie"
    )
    inputs.add_argument("--coco-year", type=int, choices=(2014, 2017), default=2017)
    inputs.add_argument("--coco-annotations", metavar="FILE", help="your own file in COCO's format")
    inputs.add_argument("--coco-images", metavar="DIR", help="the folder of that file's images")
    inputs.add_argument(
        "--coco-split", default="train", metavar="NAME", help="what to call its split"
    )
    inputs.add_argument("--label-set", metavar="NAME", help="what its category names are called")
    inputs.add_argument("--limit", type=int, metavar="N", help="N images per split, by hash")
    make = parser.add_argument_group("what to make of it")
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
        "--wordings", metavar="FILE", help="YAML or JSON: sets of wordings of your own"
    )
    make.add_argument("--seed", type=int, default=0)
    out = parser.add_argument_group("where and how")
    out.add_argument("--output", required=True, metavar="DIR")
    out.add_argument("--images", choices=("embed", "reference"), default="embed")
    out.add_argument("--shard-size", default="500MB", metavar="SIZE", help="e.g. 500MB, 2GB")
    out.add_argument("--workers", type=int, default=1, metavar="N", help="processes of a local run")
    out.add_argument("--runner", default="local", metavar="NAME", help="a Beam runner")
    out.add_argument("--rebuild", action="store_true", help="replace another build in the output")
    out.add_argument(
        "--dry-run", action="store_true", help="only say what would be read and written"
    )


def _verify(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _add(
        group,
        "verify",
        "Re-read a whole build and name all that is wrong with it.",
        "verify /shards --workers 4",
    )
    parser.add_argument("output", metavar="OUTPUT")
    parser.add_argument("--workers", type=int, default=1, metavar="N")
    parser.add_argument("--image-root", metavar="DIR", help="check referenced images too")


def _preview(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _add(
        group,
        "preview",
        "Show some records of a build, chosen by hash, in the terminal and as an HTML page.",
        "preview /shards -n 8 --html preview.html",
    )
    parser.add_argument("output", metavar="OUTPUT")
    parser.add_argument("-n", dest="count", type=int, default=8, metavar="N")
    parser.add_argument("--config", metavar="NAME")
    parser.add_argument("--split", metavar="NAME")
    parser.add_argument("--html", metavar="FILE", help="write an offline page with regions drawn")
    parser.add_argument("--image-root", metavar="DIR", help="where referenced images lie")


def _demo(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _add(
        group,
        "demo",
        "Draw a small world, build it, verify it and show it.",
        "demo --output demo_output",
    )
    parser.add_argument("--output", default="demo_output", metavar="DIR")


def _sample_world(group: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _add(
        group,
        "sample-world",
        "Draw pictures of coloured shapes, with annotations in the owners' formats.",
        "sample-world /tmp/world --size small",
    )
    parser.add_argument("output", metavar="DIR")
    parser.add_argument("--size", choices=("small", "medium", "large"), default="small")
    parser.add_argument("--seed", type=int, default=0)
